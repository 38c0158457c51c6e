"""People who sign in at a provider of ours, and what they ask of a running edge."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from edge import signing_in
from edge.database.pool import Database
from edge.members import store as members
from edge.members.staff import set_role
from edge.organizations import relationships
from edge.organizations.relationships import MemberRow
from edge.people.models import Profile
from edge.people.service import Persons
from tests.edge import issuer
from tests.edge.stand import Answer, Served, Stand


class _Web(issuer.Issuer):
    """In place of `edge.tokens.http.Http`, whatever that is told of certificates."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def start(self) -> None:
        pass

    async def close(self) -> None:
        pass


@dataclass
class Person:
    """Somebody who is signed in: with a second factor just now, unless `weak`."""

    crowd: "Crowd"
    id: str
    subject: str

    def token(self, acr: str = "mfa") -> str:
        return issuer.sign(issuer.now_claims(sub=self.subject, acr=acr)).decode()

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return await self.crowd.ask(self.token(), method, path, body, **headers)

    async def ask_weakly(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return await self.crowd.ask(self.token("pwd"), method, path, body, **headers)


class Crowd:
    """A running edge with a provider of identities, and people."""

    def __init__(self, stand: Stand, edge: Served, persons: Persons) -> None:
        self.stand = stand
        self.edge = edge
        self._persons = persons

    async def person(self, email: str | None = None) -> Person:
        """Somebody new, whose address the provider has verified if there is one."""
        subject = secrets.token_hex(8)
        known = await self._persons.known(issuer.ISSUER, subject)
        if email is not None:
            await self._persons.describe(known, Profile("Ada", email))
        return Person(self, known.id, subject)

    async def member(self, organization: str, role: str, expires_at: Any = None) -> Person:
        """Somebody with a role that SpiceDB knows."""
        person = await self.person()
        await self.seat(organization, person, role, expires_at)
        return person

    async def seat(
        self, organization: str, person: Person, role: str, expires_at: Any = None
    ) -> None:
        """Give a role without the API, in the database and in SpiceDB."""
        await self.stand.fetch(
            "INSERT INTO edge.members (organization, person, role, expires_at, added_by)"
            " VALUES ($1, $2, $3, $4, 'test')",
            *(organization, person.id, role, expires_at),
        )
        row = MemberRow(organization, person.id, role, expires_at)
        changes = relationships.changes([row], datetime.now(UTC))
        await self.stand.change_permissions(tuple(changes))

    async def staff(self, role: str) -> Person:
        """Somebody who works for the platform."""
        person = await self.person()
        platform = await self.platform()
        async with self.stand.edge_connection() as connection, connection.transaction():
            await connection.execute("SELECT set_config('app.organizations', $1, true)", person.id)
            await set_role(connection, person.id, role, "test")
        await self.stand.apply_permissions(platform)
        return person

    async def platform(self) -> str:
        """The platform's organization, registered once."""
        async with self.stand.edge_connection() as connection:
            known = await members.platform_organization(connection)
        if known is None:
            known = (await self.stand.register(is_platform=True, accepts_donations=False)).id
        return known

    async def ask(
        self, token: str, method: str, path: str, body: Any = None, **headers: str
    ) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if method == "POST":
            named.setdefault("Idempotency-Key", secrets.token_hex(8))
        if body is not None:
            named.setdefault("Content-Type", "application/json")
        data = None if body is None else orjson.dumps(body)
        named["Authorization"] = f"Bearer {token}"
        return await self.edge.ask(method, path, data=data, headers=named)


@asynccontextmanager
async def gathered(stand: Stand, patch: pytest.MonkeyPatch) -> AsyncIterator[Crowd]:
    """A running edge with people; `patch` puts the provider's web side in its place."""
    patch.setattr(signing_in, "Http", _Web)
    database = Database(stand.settings.postgres)
    await database.open()
    try:
        async with stand.serve(provider=issuer.SETTINGS) as edge:
            yield Crowd(stand, edge, Persons(database, stand.settings.master_key))
    finally:
        await database.close()
