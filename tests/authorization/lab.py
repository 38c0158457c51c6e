"""A SpiceDB of a test's own, in memory, whose schema may be broken on purpose."""

import os
import re
import secrets
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc
from authzed.api.v1 import (
    CheckBulkPermissionsRequest,
    CheckBulkPermissionsRequestItem,
    CheckPermissionResponse,
    Consistency,
    ObjectReference,
    Relationship,
    RelationshipUpdate,
    SubjectReference,
    WriteRelationshipsRequest,
    WriteSchemaRequest,
)
from authzed.api.v1.permission_service_pb2_grpc import PermissionsServiceStub
from authzed.api.v1.schema_service_pb2_grpc import SchemaServiceStub
from grpcutil import insecure_bearer_token_credentials

from deploy.embedded.build_spicedb import cached_binary
from deploy.embedded.cache import Cache
from deploy.embedded.fetch import ensure_spicedb_library
from deploy.embedded.processes import Child, answers
from deploy.embedded.spicedb import SOURCE_ROOT, answers_to, find_binary
from deploy.embedded.state import free_port
from tests.engines import LoopThread

T = TypeVar("T")

_LINE = re.compile(r"(\w+):([^#]+)#(\w+)@(\w+):([^\[]+?)(?:\[expiration:(.+)\])?")
_AT_ONCE = 200
_FRESH = Consistency(fully_consistent=True)
_HAS = CheckPermissionResponse.PERMISSIONSHIP_HAS_PERMISSION


class Lab:
    """Writes schemas and relationships, asks many questions at once; lines as in `zed validate`."""

    def __init__(self, address: str, token: str) -> None:
        self.address = address
        self.token = token

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Session"]:
        """A client in the running loop."""
        credentials = insecure_bearer_token_credentials(self.token)
        async with grpc.aio.secure_channel(self.address, credentials) as channel:
            yield Session(channel)


class Session:
    """An open client of the lab."""

    def __init__(self, channel: Any) -> None:
        self.permissions = PermissionsServiceStub(channel)
        self._schema = SchemaServiceStub(channel)

    async def write_schema(self, schema: str) -> None:
        await self._schema.WriteSchema(WriteSchemaRequest(schema=schema), timeout=10)

    async def touch(self, lines: Sequence[str]) -> None:
        for some in batched(lines, 500):
            updates = [
                RelationshipUpdate(
                    operation=RelationshipUpdate.OPERATION_TOUCH, relationship=relationship(line)
                )
                for line in some
            ]
            await self.permissions.WriteRelationships(
                WriteRelationshipsRequest(updates=updates), timeout=30
            )

    async def check(self, lines: Sequence[str]) -> list[bool]:
        """Each line's answer, by the newest data."""
        answers: list[bool] = []
        for some in batched(lines, _AT_ONCE):
            items = [_question(line) for line in some]
            answer = await self.permissions.CheckBulkPermissions(
                CheckBulkPermissionsRequest(consistency=_FRESH, items=items), timeout=30
            )
            for pair in answer.pairs:
                assert not pair.HasField("error"), pair.error.message
                answers.append(pair.item.permissionship == _HAS)
        return answers

    async def differs(self, wanted: Mapping[str, bool]) -> bool:
        """Whether a line is answered otherwise; asked in their order until one is."""
        for lines in batched(list(wanted), _AT_ONCE):
            if await self.check(lines) != [wanted[line] for line in lines]:
                return True
        return False


def batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """So many at a time, in their order."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def relationship(line: str) -> Any:
    """`resource:id#relation@subject:id`, perhaps with `[expiration:...]`."""
    found = _LINE.fullmatch(line)
    assert found is not None, line
    made = Relationship(
        resource=_object(found[1], found[2]),
        relation=found[3],
        subject=SubjectReference(object=_object(found[4], found[5])),
    )
    if found[6]:
        made.optional_expires_at.FromJsonString(found[6])
    return made


def _question(line: str) -> Any:
    one = relationship(line)
    return CheckBulkPermissionsRequestItem(
        resource=one.resource, permission=one.relation, subject=one.subject
    )


def _object(kind: str, identifier: str) -> Any:
    return ObjectReference(object_type=kind, object_id=identifier)


async def start_lab(folder: Path, cache: Path) -> tuple[Lab, Child]:
    """Start one; call it on the loop of the engines, whose thread it dies with."""
    port, token = free_port(), secrets.token_hex(16)
    address = f"127.0.0.1:{port}"
    environment = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(folder)}
    binary = find_binary(cached_binary(cache))
    if binary is not None:
        command = [str(binary), "serve", "--datastore-engine=memory", f"--grpc-addr={address}"]
        command += ["--metrics-enabled=false", "--telemetry-endpoint=", "--skip-release-check"]
        environment["SPICEDB_GRPC_PRESHARED_KEY"] = token
    else:
        library = await ensure_spicedb_library(Cache(cache, lambda _: None))
        gateway = [sys.executable, "-m", "deploy.embedded.spicedb_gateway"]
        command = [*gateway, str(library), str(port)]
        environment["PYTHONPATH"] = os.pathsep.join([str(SOURCE_ROOT), *filter(None, sys.path)])
        environment["AMPLY_SPICEDB_TOKEN"] = token
    child = Child(command, folder=folder, log=folder / "spicedb.log", environment=environment)

    async def ready() -> bool:
        return await answers_to(address, token)

    assert await answers(child, ready, 60), child.last_words()
    return Lab(address, token), child


def lab_of(engine_loop: LoopThread, folder: Path, cache: Path) -> tuple[Lab, Child]:
    """Start a lab from a fixture."""
    return engine_loop.run(start_lab(folder, cache))
