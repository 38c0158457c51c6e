"""SpiceDB through its official client: relationships and the schema, all writes idempotent."""

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
from authzed.api.v1 import (
    ObjectReference,
    Relationship,
    RelationshipUpdate,
    SubjectReference,
    WriteRelationshipsRequest,
    WriteSchemaRequest,
)
from authzed.api.v1.permission_service_pb2_grpc import PermissionsServiceStub
from authzed.api.v1.schema_service_pb2_grpc import SchemaServiceStub

from contracts.permissions import RelationshipChange
from topics.connections.spicedb import credentials
from workers.runtime.worker import Refused, Transient
from workers.settings import SettingError, required

DEADLINE_S: Final = 5
SCHEMA_DEADLINE_S: Final = 30
#: SpiceDB takes at most 1 000 updates in one write.
UPDATES_MAX: Final = 500

_OPERATIONS: Final = {
    "touch": RelationshipUpdate.OPERATION_TOUCH,
    "delete": RelationshipUpdate.OPERATION_DELETE,
}


class PermissionsGateway:
    """Writes to one SpiceDB. Errors: `Refused` when the request is malformed, else `Transient`.

    A relation that the schema lacks is `Transient` too: a SpiceDB that lost its memory has no
    schema until it is filled again.
    """

    def __init__(self, channel: Any) -> None:
        self._permissions = PermissionsServiceStub(channel)
        self._schema = SchemaServiceStub(channel)

    async def write(self, changes: Sequence[RelationshipChange]) -> str:
        """Apply changes together; the ZedToken that a read needs to see them."""
        request = WriteRelationshipsRequest(updates=[_update(change) for change in changes])
        answer = await _answer(self._permissions.WriteRelationships(request, timeout=DEADLINE_S))
        return str(answer.written_at.token)

    async def write_schema(self, schema: str) -> None:
        """Make this the schema."""
        request = WriteSchemaRequest(schema=schema)
        await _answer(self._schema.WriteSchema(request, timeout=SCHEMA_DEADLINE_S))


def _update(change: RelationshipChange) -> Any:
    resource_type, _, resource_id = change.resource.partition(":")
    subject_type, _, subject_id = change.subject.partition(":")
    relationship = Relationship(
        resource=ObjectReference(object_type=resource_type, object_id=resource_id),
        relation=change.relation,
        subject=SubjectReference(
            object=ObjectReference(object_type=subject_type, object_id=subject_id)
        ),
    )
    if change.expires_at is not None:
        relationship.optional_expires_at.FromDatetime(change.expires_at)
    return RelationshipUpdate(operation=_OPERATIONS[change.operation], relationship=relationship)


async def _answer(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
            raise Refused("malformed_change", "SpiceDB: invalid_argument") from error
        raise Transient(f"SpiceDB: {error.code().name.lower()}") from error


@asynccontextmanager
async def open_spicedb(settings: Mapping[str, str]) -> AsyncIterator[PermissionsGateway]:
    """A gateway on `AMPLY_SPICEDB`, `AMPLY_SPICEDB_TOKEN`."""
    address = required(settings, "AMPLY_SPICEDB", "SpiceDB's address, host:port")
    token = required(settings, "AMPLY_SPICEDB_TOKEN", "SpiceDB's preshared key")
    try:
        server, known = credentials(address, token)
    except (ValueError, OSError) as error:
        raise SettingError(f"AMPLY_SPICEDB {error}") from None
    async with grpc.aio.secure_channel(server, known) as channel:
        yield PermissionsGateway(channel)
