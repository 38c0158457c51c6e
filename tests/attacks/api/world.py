"""Two organizations that know nothing of one another, and requests of every operation."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contracts.identifiers import random_id, type_id
from edge.access import Access
from edge.operation import Operation
from edge.operations import OPERATIONS
from edge.organizations.relationships import SCOPES
from edge.organizations.service import create_api_key
from tests.edge.scribe import Scribe
from tests.edge.stand import Answer, Served, Stand, gift

PREFIXES = {"donation": "don", "entry": "ent", "refund": "ref", "session": "ses"}
#: What only people have; keys never.
PEOPLE_ONLY = frozenset({"me"})


@dataclass
class Tenant:
    """An organization, a key that may everything in it, and what it has."""

    id: str
    slug: str
    secret: str
    owned: dict[str, str]


@dataclass
class World:
    """`a` and `b`, and the edge that serves both."""

    stand: Stand
    edge: Served
    a: Tenant
    b: Tenant

    async def key(self, tenant: Tenant, *scopes: str) -> str:
        async with self.stand.edge_connection() as connection:
            made = await create_api_key(
                connection,
                master_key=self.stand.settings.master_key,
                environment="test",
                organization=tenant.id,
                name="made by a test",
                scopes=scopes,
            )
        await self.stand.apply_permissions(tenant.id)
        return made.secret

    async def ask(
        self, operation: Operation, parameters: dict[str, str], secret: str | None, **how: Any
    ) -> Answer:
        """One request of an operation, with what it cannot do without."""
        headers = dict(how.pop("headers", {}))
        if secret is not None:
            headers["Authorization"] = f"Bearer {secret}"
        if operation.method in ("post", "delete"):
            headers.setdefault("Idempotency-Key", secrets.token_hex(8))
        if operation.body is not None:
            headers.setdefault("Content-Type", "application/json")
            how.setdefault("data", b"{}")
        path = operation.path.format(**parameters)
        return await self.edge.ask(operation.method.upper(), path, headers=headers, **how)


def names_in(operation: Operation) -> list[str]:
    """The parameters of an operation's path."""
    return [one["name"] for one in operation.parameters if one["in"] == "path"]


def made_up(operation: Operation) -> dict[str, str]:
    """Well-formed values for a path, of what does not exist."""
    return {name: _invented(name) for name in names_in(operation)}


def _invented(name: str) -> str:
    if name in PREFIXES:
        return type_id(PREFIXES[name], random_id(datetime.now(UTC)))
    return f"none-{secrets.token_hex(4)}"


def guarded() -> dict[str, tuple[Operation, Access]]:
    """The operations that are not for everybody, by identifier."""
    return {
        one.identifier: (one, one.access) for one in OPERATIONS if isinstance(one.access, Access)
    }


async def two_tenants(stand: Stand) -> tuple[Tenant, Tenant]:
    """Two fresh organizations, each with a recorded gift."""
    async with stand.serve() as edge:
        return await _tenant(stand, edge), await _tenant(stand, edge)


async def _tenant(stand: Stand, edge: Served) -> Tenant:
    slug = f"o{secrets.token_hex(6)}"
    registered = await stand.register(slug=slug, scopes=tuple(SCOPES))
    secret = registered.key.secret
    donation = (await edge.donate(gift(slug), secret)).json["id"]
    await Scribe(stand).record(registered.id)
    [row] = await stand.fetch("SELECT id FROM ledger.entries WHERE subject = $1", donation)
    owned = {"organization": slug, "slug": slug, "donation": donation, "entry": row["id"]}
    return Tenant(registered.id, slug, secret, owned)
