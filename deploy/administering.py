"""What operators do with organizations, members, staff and keys, in the edge's own role.

The services are the edge's, so that the same rules, messages and audit rows follow; only nobody
asks whether an operator may.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from edge.database.pool import Database
from edge.keys.models import ApiKeyRequest, Rotation
from edge.keys.service import Keys
from edge.keys.store import holder_of
from edge.members import service as members
from edge.members.models import Role
from edge.members.staff import set_role
from edge.organizations.applications import Applications
from edge.organizations.decisions import Action
from edge.organizations.models import OrganizationApplication
from edge.resources import Command, Precondition
from edge.settings import Environment

OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Desk:
    """Where operators work: the edge's database, its master key, the environment of keys."""

    database: Database
    master_key: bytes
    environment: Environment
    origin: str

    async def create(self, owner: str, values: dict[str, Any]) -> dict[str, Any]:
        """A pending organization of this owner (`usr_…`); ProblemError or ValidationError."""
        body = OrganizationApplication.model_validate(values)
        applied = await self._applications.apply(self._command(body, owner))
        return applied.resource

    async def act(self, organization: str, action: Action, reason: str | None) -> dict[str, Any]:
        """The organization after an action; ProblemError."""
        return (await self._applications.act(organization, action, reason)).resource

    async def add_member(
        self, organization: str, person: str, role: Role, ends_at: datetime | None
    ) -> None:
        """Give a person a role; ProblemError."""
        async with self.database.transaction([organization]) as connection:
            await members.seat(connection, organization, person, role, ends_at, OPERATOR)

    async def set_staff(self, person: str, role: str | None) -> None:
        """Give a person a role at the platform, or take it; ProblemError."""
        async with self.database.transaction([person]) as connection:
            await set_role(connection, person, role, OPERATOR)

    async def create_key(self, organization: str, values: dict[str, Any]) -> dict[str, Any]:
        """A key with its secret; ProblemError or ValidationError."""
        body = ApiKeyRequest.model_validate(values)
        made, _, _ = await self._keys.make(organization, self._command(body, organization))
        return made

    async def rotate_key(self, key: str, overlap_hours: int) -> dict[str, Any] | None:
        """The key with its new secret; None when there is no such key; ProblemError."""
        holder = await self._holder(key)
        if holder is None:
            return None
        command = self._command(Rotation(overlap_hours=overlap_hours), holder)
        made, _, _ = await self._keys.rotate(holder, key, command)
        return made

    async def revoke_key(self, key: str) -> bool:
        """Whether there was such a key; it opens nothing any more."""
        holder = await self._holder(key)
        if holder is not None:
            await self._keys.revoke(holder, key, Precondition(None))
        return holder is not None

    async def _holder(self, key: str) -> str | None:
        async with self.database.transaction([]) as connection:
            return await holder_of(connection, key)

    def _command(self, body: Any, tenant: str) -> Command[Any]:
        """Each call of a command is one of its own."""
        return Command(
            tenant=tenant,
            environment=self.environment,
            route="command",
            idempotency_key=str(uuid4()),
            fingerprint=bytes(32),
            created_by=tenant if tenant.startswith("usr_") else OPERATOR,
            body=body,
        )

    @property
    def _applications(self) -> Applications:
        return Applications(self.database, self.origin)

    @property
    def _keys(self) -> Keys:
        return Keys(self.database, self.master_key, self.environment)


@asynccontextmanager
async def desk(
    dsn: str, master_key: bytes, environment: Environment, origin: str
) -> AsyncIterator[Desk]:
    """Open in the edge's role for one command."""
    database = Database(dsn)
    await database.open()
    try:
        yield Desk(database, master_key, environment, origin)
    finally:
        await database.close()
