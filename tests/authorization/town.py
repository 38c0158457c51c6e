"""Organizations, people, keys and collectors that come and go, by the services that do it.

SpiceDB is one of the test's own: what it holds can be compared with all that the rows say. Its
schema takes a caveat on everything, so that it can hold what our own schema would not let in.
"""

import random
import re
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from contracts.identifiers import random_id, type_id
from contracts.permissions import PermissionsRequested
from edge.caller import Caller
from edge.collectors.models import CollectorProfile
from edge.collectors.service import Collectors
from edge.database.pool import Database
from edge.database.store import set_scope
from edge.errors import ProblemError
from edge.keys.models import ApiKeyRequest
from edge.keys.service import Keys
from edge.members.service import Members, seat
from edge.members.staff import set_role
from edge.organizations.applications import Applications
from edge.organizations.models import OrganizationApplication
from edge.organizations.relationships import ROLES, SCOPES, STAFF_ROLES
from edge.organizations.service import open_fund, register_organization
from edge.people.service import Persons
from edge.reconciler.decisions import KINDS
from edge.reconciler.service import Outcome, reconcile
from edge.resources import Command, Precondition
from edge.spicedb import NEWEST, Relation, SpiceDB
from tests.authorization.lab import Lab
from tests.authorization.schema import SCHEMA
from tests.authorization.truth import TRUTH
from tests.edge.stand import ORIGIN, Stand
from workers.gateways.spicedb_gateway import open_spicedb
from workers.permissions import decisions, store
from workers.permissions.decisions import Applied

CAVEAT: Final = "sometimes"
ANY_VERSION: Final = Precondition(None)


def loose_schema() -> str:
    """The schema, with a caveat that every relation of named subjects may have."""

    def loosen(found: re.Match[str]) -> str:
        kinds = found[2].split(" | ")
        more = [f"{one} with {CAVEAT}" for one in kinds if re.fullmatch(r"\w+", one)]
        return f"\trelation {found[1]}: {' | '.join([*kinds, *more])}"

    caveat = f"use expiration\n\ncaveat {CAVEAT}(is_so bool) {{\n\tis_so\n}}\n"
    schema = re.sub(r"^\trelation (\w+): (.+)$", loosen, SCHEMA, flags=re.MULTILINE)
    return schema.replace("use expiration\n", caveat)


class Everything:
    """Authorization that allows all: who may change what is not the matter here."""

    async def is_allowed(self, *_: Any, **__: Any) -> bool:
        return True


def person() -> str:
    return type_id("usr", random_id(datetime.now(UTC)))


def caller(person: str, organization: str) -> Caller:
    return Caller(
        id=person,
        kind="person",
        subject=f"user:{person}",
        organization=organization,
        environment="test",
        scopes=frozenset(),
    )


def command(body: Any, by: str) -> Command[Any]:
    return Command(by, "test", "POST /", secrets.token_hex(8), bytes(32), by, body)


class Town:
    """Rows, messages and a SpiceDB; each step changes some rows as the edge does."""

    def __init__(
        self, stand: Stand, lab: Lab, database: Database, superuser: Any, chance: random.Random
    ) -> None:
        everything: Any = Everything()
        self.stand = stand
        self.fetch = superuser.fetch
        self.lab = lab
        self.spicedb = SpiceDB(lab.address, lab.token)
        self.database = database
        self.chance = chance
        persons = Persons(database, stand.settings.master_key)
        self.members = Members(database, everything, persons)
        self.collectors = Collectors(database, everything)
        self.keys = Keys(database, stand.settings.master_key, "test")
        self.applications = Applications(database, ORIGIN)
        self.people = [person() for _ in range(6)]
        self.steps: tuple[Callable[[], Awaitable[Any]], ...] = (
            *(self.seat, self.seat, self.remove, self.leave, self.staff),
            *(self.register, self.apply, self.act, self.act, self.fund),
            *(self.make_key, self.make_key, self.revoke_key),
            *(self.make_collector, self.allow, self.allow, self.disallow, self.close),
        )

    async def step(self) -> None:
        """One thing happens, or is refused."""
        try:
            await self.chance.choice(self.steps)()
        except ProblemError as refusal:
            assert refusal.kind.status < 500, refusal

    async def one(self, sql: str, *arguments: object) -> Any:
        """One of the rows, by chance; ProblemError when there is none."""
        rows = await self.fetch(sql + " ORDER BY 1", *arguments)
        if not rows:
            raise ProblemError("not_found")
        return self.chance.choice(rows)[0]

    async def organization(self) -> str:
        return str(await self.one("SELECT id FROM edge.organizations WHERE NOT is_platform"))

    async def seat(self) -> None:
        role, ends_at = self.chance.choice(ROLES), None
        if role == "auditor" and self.chance.random() < 0.7:
            ends_at = datetime.now(UTC) + timedelta(days=self.chance.randint(1, 9))
        who = self.chance.choice(self.people)
        await self.give(await self.organization(), who, role, ends_at)

    async def give(self, organization: str, who: str, role: Any, ends_at: datetime | None) -> None:
        """Make somebody a member, or another one."""
        async with self.database.transaction([organization]) as connection:
            await seat(connection, organization, who, role, ends_at, "test")

    async def remove(self) -> None:
        organization = await self.organization()
        by = caller(person(), organization)
        await self.members.remove(by, self.chance.choice(self.people), ANY_VERSION)

    async def leave(self) -> None:
        await self.members.leave(caller(self.chance.choice(self.people), await self.organization()))

    async def staff(self) -> None:
        who = self.chance.choice(self.people)
        async with self.database.transaction([who]) as connection:
            await set_role(connection, who, self.chance.choice([None, *STAFF_ROLES]), "test")

    async def register(self) -> str:
        """A new organization; its id."""
        async with self.stand.edge_connection() as connection:
            made = await register_organization(
                connection,
                master_key=self.stand.settings.master_key,
                environment="test",
                origin=ORIGIN,
                slug=f"t{secrets.token_hex(6)}",
                name="Harbour",
                accepts_donations=self.chance.random() < 0.7,
            )
        return made.id

    async def apply(self) -> None:
        body = OrganizationApplication(
            name="Harbour", slug=f"t{secrets.token_hex(6)}", country="DE", default_currency="EUR"
        )
        await self.applications.apply(command(body, self.chance.choice(self.people)))

    async def act(self) -> None:
        actions: Any = ("approve", "approve", "suspend", "suspend", "reinstate", "close", "reject")
        await self.applications.act(await self.organization(), self.chance.choice(actions), "why")

    async def fund(self) -> None:
        organization = await self.organization()
        held = await self.fetch(
            "SELECT currency FROM edge.funds WHERE organization = $1", organization
        )
        left = {"EUR", "USD", "GBP", "CHF"} - {row["currency"] for row in held}
        if left:
            async with self.stand.edge_connection() as connection:
                await open_fund(connection, organization, self.chance.choice(sorted(left)))

    async def make_key(self) -> None:
        organization = await self.organization()
        scopes = self.chance.sample(sorted(SCOPES), self.chance.randint(1, 8))
        funds = []
        if self.chance.random() < 0.5:
            scopes = sorted({*scopes, "ledger:read_internal"})
            rows = await self.fetch(
                "SELECT id FROM edge.funds WHERE organization = $1 ORDER BY id", organization
            )
            funds = [row["id"] for row in rows if self.chance.random() < 0.6]
        body: Any = {"name": "till", "scopes": scopes, "funds": funds}
        if self.chance.random() < 0.2:
            body = {"name": "page", "kind": "publishable", "origins": ["https://give.test"]}
        await self.keys.make(organization, command(ApiKeyRequest(**body), person()))

    async def revoke_key(self) -> None:
        key = await self.one("SELECT id FROM edge.api_keys WHERE organization IS NOT NULL")
        [row] = await self.fetch("SELECT organization FROM edge.api_keys WHERE id = $1", key)
        await self.keys.revoke(row["organization"], key, ANY_VERSION)

    async def make_collector(self) -> None:
        body = CollectorProfile(name="Kiosk", kind="shop")
        made, _, _ = await self.collectors.make(command(body, self.chance.choice(self.people)))
        if self.chance.random() < 0.5:
            key = ApiKeyRequest(name="till", scopes=["donations:write"])
            await self.keys.make(made["id"], command(key, person()))

    async def collector(self) -> str:
        return str(await self.one("SELECT id FROM edge.collectors"))

    async def allow(self) -> None:
        by = caller(person(), await self.organization())
        await self.collectors.allow(by, await self.collector())

    async def disallow(self) -> None:
        organization = await self.one("SELECT organization FROM edge.collections")
        collector = await self.one(
            "SELECT collector FROM edge.collections WHERE organization = $1", organization
        )
        await self.collectors.revoke(caller(person(), organization), collector)

    async def close(self) -> None:
        await self.collectors.close(await self.collector(), ANY_VERSION)

    # What follows from it -----------------------------------------------------------------------

    async def deliver(self) -> None:
        """What the relay and the permissions worker do, up to the last message."""
        sent = await self.fetch(
            "SELECT position, value, headers::jsonb FROM messages.outbox"
            " WHERE topic = 'permissions.requested.v1' ORDER BY position"
        )
        settings = {"AMPLY_SPICEDB": self.lab.address, "AMPLY_SPICEDB_TOKEN": self.lab.token}
        async with (
            open_spicedb(settings) as gateway,
            self.stand.role_connection("permissions") as connection,
        ):
            for one in sent:
                [whose] = re.findall(r'"ce_organization", "(\w+)"', one["headers"])
                changes = PermissionsRequested.model_validate_json(one["value"]).changes
                token = await gateway.write(changes)
                async with connection.transaction():
                    await set_scope(connection, [whose])
                    outcome = decisions.fold([Applied(whose, changes, token)])
                    await store.keep(connection, outcome)
        await self.fetch(
            "DELETE FROM messages.outbox WHERE position = ANY ($1)",
            [one["position"] for one in sent],
        )

    async def reconcile(self) -> Outcome:
        """As the edge does every hour."""
        async with self.stand.edge_connection() as connection:
            return await reconcile(connection, self.spicedb)

    async def truth(self) -> set[Relation]:
        """All that the rows say now."""
        known = [(scope, relation) for scope, relation in SCOPES.items() if relation is not None]
        rows = await self.fetch(TRUTH, *map(list, zip(*known, strict=True)))
        return {Relation(*row) for row in rows}

    async def held(self) -> set[Relation]:
        """All that SpiceDB holds now."""
        return {one for kind in KINDS async for one in self.spicedb.relations(kind, as_of=NEWEST)}

    async def recorded(self) -> set[Relation]:
        """All that the worker keeps."""
        rows = await self.fetch(
            "SELECT resource, relation, subject, expires_at FROM permissions.relationships"
        )
        return {Relation(*row) for row in rows}
