"""Checks and reverse queries on the real SpiceDB, with the relationships of many organizations.

It needs the binary (`python -m deploy.embedded.build_spicedb`): the library behind our gateway is
for development. Relationships lie in PostgreSQL, as they do in production.
"""

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import grpc
from authzed.api.v1 import ObjectReference, Relationship, SubjectReference, WriteSchemaRequest
from authzed.api.v1.permission_service_pb2 import ImportBulkRelationshipsRequest
from authzed.api.v1.permission_service_pb2_grpc import PermissionsServiceStub
from authzed.api.v1.schema_service_pb2_grpc import SchemaServiceStub

from deploy.embedded import Addresses, Engines
from deploy.embedded.build_spicedb import cached_binary
from deploy.embedded.cache import default_cache
from deploy.embedded.spicedb import find_binary
from edge.organizations.relationships import FundRow, KeyRow, MemberRow, OrganizationRow, following
from edge.permissions.service import holders_of
from edge.spicedb import ANY, NEWEST, Question, Relation, SpiceDB
from tests.benchmarks.running import elapsed
from tests.edge.stand import SCHEMA
from topics.connections.spicedb import credentials

ORGANIZATIONS: Final = 10_000
MEMBERS: Final = 50
#: Some people are members of several organizations.
_PEOPLE_PER_ORGANIZATION: Final = 20
_ROLES: Final = ("owner", *["admin"] * 2, *["finance"] * 5, *["content"] * 10, *["viewer"] * 30)
_SCOPES: Final = ("donations:read", "donations:write", "donors:read", "payouts:read")
_CHECKED: Final = (
    "view_payouts",
    "manage_funds",
    "view_donors",
    "issue_refund",
    "view_public_ledger",
)
_CHECKS: Final = 5000
_REVERSE: Final = 500
_BATCH: Final = 1000
#: SpiceDB ends a call after 30 s.
_CALL: Final = 20 * _BATCH

Rows = list[tuple[str, str, str]]


async def measure(folder: Path, organizations: int = ORGANIZATIONS) -> Rows:
    if find_binary(cached_binary(default_cache())) is None:
        return [("permissions", "", "not measured: build SpiceDB first (see CONTRIBUTING)")]
    engines = Engines(folder / "engines", cache=default_cache())
    addresses = await engines.start()
    try:
        started = time.perf_counter()
        count = await fill(addresses, organizations)
        filled = f"{count} in {elapsed(started):.0f} s"
        spicedb = SpiceDB(addresses.spicedb_endpoint, addresses.spicedb_token)
        what = f"{organizations} organizations of {MEMBERS}"
        rows = [(f"relationships of {what}, imported", "", filled)]
        rows += await ask(spicedb, organizations)
    finally:
        await engines.stop()
    return rows


def relationships(organizations: int) -> Iterator[Relation]:
    """All that follows from so many organizations: members, a fund and two keys each."""
    now, draw = datetime.now(UTC), random.Random(3)
    for number in range(organizations):
        one = f"org_{number}"
        people = draw.sample(range(organizations * _PEOPLE_PER_ORGANIZATION + MEMBERS), MEMBERS)
        roles = islice(cycle((*_ROLES, "auditor", "board")), MEMBERS)
        members = zip(people, roles, strict=True)
        yield from following(
            [
                OrganizationRow(one, "verified", "approved", accepts_donations=True),
                FundRow(f"fund_{number}", one),
                *(KeyRow(f"key_{number}_{key}", one, _SCOPES) for key in range(2)),
                *(MemberRow(one, f"usr_{who}", role) for who, role in members),
            ],
            now,
        )


async def fill(addresses: Addresses, organizations: int) -> int:
    """Import the schema and all relationships; how many."""
    known = credentials(addresses.spicedb_endpoint, addresses.spicedb_token)
    async with grpc.aio.secure_channel(*known) as channel:
        await SchemaServiceStub(channel).WriteSchema(
            WriteSchemaRequest(schema=SCHEMA.read_text()), timeout=60
        )

        async def requests(some: list[Relation]) -> AsyncIterator[Any]:
            for start in range(0, len(some), _BATCH):
                batch = map(_spell, some[start : start + _BATCH])
                yield ImportBulkRelationshipsRequest(relationships=batch)

        service, left, count = PermissionsServiceStub(channel), relationships(organizations), 0
        while some := list(islice(left, _CALL)):
            answer = await service.ImportBulkRelationships(requests(some))
            count += int(answer.num_loaded)
    return count


async def ask(spicedb: SpiceDB, organizations: int) -> Rows:
    """The figures, each after as many questions again as it takes to be warm."""
    draw = random.Random(4)

    def somewhere() -> str:
        return f"organization:org_{draw.randrange(organizations)}"

    def question() -> Question:
        who = draw.randrange(organizations * _PEOPLE_PER_ORGANIZATION)
        key = draw.randrange(organizations)
        subject = f"user:usr_{who}" if draw.random() < 0.5 else f"api_key:key_{key}_0"
        place = somewhere() if draw.random() < 0.5 else f"organization:org_{key}"
        return Question(place, draw.choice(_CHECKED), subject)

    async def reverse() -> object:
        return await holders_of(spicedb, somewhere().partition(":")[2], draw.choice(_CHECKED))

    async def forward() -> object:
        who = f"user:usr_{draw.randrange(organizations * _PEOPLE_PER_ORGANIZATION)}"
        return await spicedb.resources("organization", "view_payouts", who, 50, None, NEWEST)

    return [
        await _timed("check", "p99 < 10 ms", _CHECKS, lambda: spicedb.ask(question(), ANY)),
        await _timed(
            "check by the newest data",
            "p99 < 10 ms",
            _CHECKS,
            lambda: spicedb.ask(question(), NEWEST),
        ),
        await _timed("who may, of one organization", "< 50 ms", _REVERSE, reverse),
        await _timed("where one person may", "", _REVERSE, forward),
    ]


async def _timed(
    what: str, target: str, times: int, once: Callable[[], Awaitable[object]]
) -> tuple[str, str, str]:
    for _ in range(times // 5):
        await once()
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        await once()
        seconds.append(elapsed(started))
    seconds.sort()
    median, high = seconds[times // 2] * 1e3, seconds[int(times * 0.99)] * 1e3
    return what, target, f"p50 {median:.1f} ms, p99 {high:.1f} ms, of {times} one by one"


def _spell(one: Relation) -> Any:
    return Relationship(
        resource=_object(one.resource),
        relation=one.relation,
        subject=SubjectReference(object=_object(one.subject)),
    )


def _object(text: str) -> Any:
    kind, _, identifier = text.partition(":")
    return ObjectReference(object_type=kind, object_id=identifier)
