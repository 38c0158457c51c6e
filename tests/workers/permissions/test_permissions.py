"""Relationships brought to a real SpiceDB, kept, and brought again."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
from authzed.api.v1 import (
    CheckPermissionRequest,
    CheckPermissionResponse,
    Consistency,
    ObjectReference,
    SubjectReference,
    ZedToken,
)
from authzed.api.v1.permission_service_pb2_grpc import PermissionsServiceStub
from grpcutil import insecure_bearer_token_credentials

from contracts.message import Envelope
from contracts.permissions import PermissionsRequested, RelationshipChange
from deploy.embedded import Addresses
from edge.spicedb import NEWEST, SpiceDB
from tests.workers.bench import Bench, message, new
from topics.registry import PERMISSIONS_REQUESTED
from workers.gateways.spicedb_gateway import PermissionsGateway, open_spicedb
from workers.permissions import decisions
from workers.permissions.decisions import Applied
from workers.permissions.store import all_relationships
from workers.permissions.worker import WORKER, fill_again

# The platform's own schema: other tests of the session use the same SpiceDB.
SCHEMA = (Path(__file__).parents[3] / "deploy" / "spicedb" / "schema.zed").read_text()


@pytest.fixture
async def spicedb(engines: Addresses) -> AsyncIterator[PermissionsGateway]:
    settings = {
        "AMPLY_SPICEDB": engines.spicedb_endpoint,
        "AMPLY_SPICEDB_TOKEN": engines.spicedb_token,
    }
    async with open_spicedb(settings) as gateway:
        await gateway.write_schema(SCHEMA)
        yield gateway


async def may(engines: Addresses, organization: str, user: str, token: str) -> bool:
    credentials = insecure_bearer_token_credentials(engines.spicedb_token)
    async with grpc.aio.secure_channel(engines.spicedb_endpoint, credentials) as channel:
        answer = await PermissionsServiceStub(channel).CheckPermission(
            CheckPermissionRequest(
                consistency=Consistency(at_least_as_fresh=ZedToken(token=token)),
                resource=ObjectReference(object_type="organization", object_id=organization),
                permission="is_owner",
                subject=SubjectReference(
                    object=ObjectReference(object_type="user", object_id=user)
                ),
            ),
            timeout=10,
        )
    return bool(answer.permissionship == CheckPermissionResponse.PERMISSIONSHIP_HAS_PERMISSION)


def change(operation: Any, organization: str, user: str) -> RelationshipChange:
    return RelationshipChange(
        operation=operation,
        resource=f"organization:{organization}",
        relation="owner",
        subject=f"user:{user}",
    )


def asked(organization: str, *changes: RelationshipChange) -> Envelope[PermissionsRequested]:
    return message(PERMISSIONS_REQUESTED, organization, PermissionsRequested(changes=changes))


async def token_of(bench: Bench, organization: str) -> str:
    rows = await bench.fetch(
        "SELECT zed_token FROM permissions.tokens WHERE organization = $1", organization
    )
    return str(rows[0]["zed_token"])


async def held(bench: Bench, organization: str) -> list[str]:
    rows = await bench.fetch(
        "SELECT subject FROM permissions.relationships WHERE organization = $1 ORDER BY subject",
        organization,
    )
    return [row["subject"] for row in rows]


async def test_changes_arrive_in_order_and_are_kept(
    bench: Bench, engines: Addresses, spicedb: PermissionsGateway
) -> None:
    organization = new("org")
    first = asked(
        organization, change("touch", organization, "ana"), change("touch", organization, "ben")
    )
    second = asked(organization, change("delete", organization, "ben"))
    await bench.settle(WORKER, spicedb, [first, second])
    token = await token_of(bench, organization)
    assert await may(engines, organization, "ana", token)
    assert not await may(engines, organization, "ben", token)
    assert await held(bench, organization) == ["user:ana"]
    await bench.settle(WORKER, spicedb, [asked(organization, change("touch", organization, "ben"))])
    assert await token_of(bench, organization) != token
    assert await held(bench, organization) == ["user:ana", "user:ben"]


async def test_what_spicedb_forgot_is_brought_again(
    bench: Bench, engines: Addresses, spicedb: PermissionsGateway
) -> None:
    organization = new("org")
    users = [f"user{n}" for n in range(3)]
    await bench.settle(
        WORKER, spicedb, [asked(organization, change("touch", organization, u)) for u in users]
    )
    before = await token_of(bench, organization)
    token = await spicedb.write([change("delete", organization, user) for user in users])
    assert not await may(engines, organization, users[0], token)
    connection = await asyncpg.connect(bench.role_dsn("permissions"))
    try:
        async with connection.transaction():
            count = await fill_again(connection, spicedb)
    finally:
        await connection.close()
    assert count >= 3
    newer = await token_of(bench, organization)
    assert newer not in {before, token}
    for user in users:
        assert await may(engines, organization, user, newer)


def auditor(organization: str, user: str, expires_at: datetime | None) -> RelationshipChange:
    return change("touch", organization, user).model_copy(
        update={"relation": "auditor", "expires_at": expires_at}
    )


async def ends(engines: Addresses, organization: str) -> dict[str, datetime | None]:
    """The end of each relationship that SpiceDB holds of an organization, by subject."""
    spicedb = SpiceDB(engines.spicedb_endpoint, engines.spicedb_token)
    held = spicedb.relations("organization", organization, NEWEST)
    return {one.subject: one.expires_at async for one in held}


async def test_a_role_that_ends_is_kept_with_its_end_and_goes_without_naming_it(
    bench: Bench, engines: Addresses, spicedb: PermissionsGateway
) -> None:
    organization, now = new("org"), datetime.now(UTC)
    later = now + timedelta(days=1, microseconds=7)
    for end in (later, None, later + timedelta(days=1)):
        await bench.settle(WORKER, spicedb, [asked(organization, auditor(organization, "a", end))])
        rows = await bench.fetch(
            "SELECT expires_at FROM permissions.relationships WHERE organization = $1", organization
        )
        assert [row["expires_at"] for row in rows] == [end]
        assert await ends(engines, organization) == {"user:a": end}
    gone = auditor(organization, "a", None).model_copy(update={"operation": "delete"})
    await bench.settle(WORKER, spicedb, [asked(organization, gone)])
    assert await ends(engines, organization) == {}
    assert await held(bench, organization) == []


async def test_a_role_that_is_over_is_nothing_and_is_not_brought_again(
    bench: Bench, engines: Addresses, spicedb: PermissionsGateway
) -> None:
    organization, now = new("org"), datetime.now(UTC)
    over, lasts = now - timedelta(seconds=1), now + timedelta(days=1)
    told = [auditor(organization, "past", over), auditor(organization, "lasts", lasts)]
    await bench.settle(WORKER, spicedb, [asked(organization, one) for one in told])
    assert await ends(engines, organization) == {"user:lasts": lasts}
    assert await bench.set_aside(WORKER) == []
    await bench.fetch(
        "UPDATE permissions.relationships SET expires_at = $2 WHERE organization = $1",
        *(organization, over),
    )
    connection = await asyncpg.connect(bench.role_dsn("permissions"))
    try:
        async with connection.transaction():
            brought = [
                one.subject async for batch in all_relationships(connection, 500) for one in batch
            ]
    finally:
        await connection.close()
    assert not {"user:past", "user:lasts"} & set(brought)


async def test_relation_that_the_schema_lacks_waits_for_the_schema(
    bench: Bench, spicedb: PermissionsGateway
) -> None:
    organization = new("org")
    unknown = RelationshipChange(
        operation="touch", resource="planet:1", relation="owner", subject="user:ana"
    )
    await bench.settle(WORKER, spicedb, [asked(organization, unknown)])
    assert await bench.set_aside(WORKER) == [("parked", "transient")]
    assert await held(bench, organization) == []


async def test_spicedb_that_is_away(bench: Bench) -> None:
    organization = new("org")
    settings = {"AMPLY_SPICEDB": "127.0.0.1:9", "AMPLY_SPICEDB_TOKEN": "x"}
    async with open_spicedb(settings) as away:
        await bench.settle(WORKER, away, [asked(organization, change("touch", organization, "a"))])
    assert await bench.set_aside(WORKER) == [("parked", "transient")]


def test_last_word_on_each_relationship_counts() -> None:
    applied = [
        Applied("org_1", (change("touch", "o", "a"), change("touch", "o", "b")), "t1"),
        Applied("org_2", (change("touch", "p", "a"),), "t2"),
        Applied("org_1", (change("delete", "o", "a"),), "t3"),
    ]
    outcome = decisions.fold(applied)
    assert outcome.tokens == {"org_1": "t3", "org_2": "t2"}
    assert outcome.touched == [
        ("org_1", change("touch", "o", "b")),
        ("org_2", change("touch", "p", "a")),
    ]
    assert outcome.deleted == [("org_1", change("delete", "o", "a"))]
