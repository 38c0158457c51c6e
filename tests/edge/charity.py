"""An organization with gifts of one donor, and persons who are there, for tests of their rights."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from contracts.permissions import RelationshipChange
from edge import signing_in
from edge.caller import Caller
from edge.operations import OPERATIONS
from tests.edge.stand import Served, Stand, gift

ADMIN = "usr_" + "0" * 25 + "1"
SCOPES = (
    "donations:write",
    "donations:read",
    "donors:read",
    "ledger:read",
    "exports",
    "audit:read",
)
MARKETING = {"is_given": True, "wording": "2026-11.a", "source": "donation_form"}


class Present:
    """People: whoever says so in a header is the person, with a second factor or without."""

    async def caller_of(self, request: web.Request) -> Caller | None:
        person = request.headers.get("X-Person")
        if person is None:
            return None
        identifier, _, strength = person.partition(" ")
        return Caller(
            id=identifier,
            kind="person",
            subject=f"user:{identifier}",
            organization="",
            environment="test",
            scopes=frozenset(one.scope for one in OPERATIONS if one.scope is not None),
            authenticated_at=datetime.now(UTC),
            is_strong=strength == "strong",
        )

    def step_up_challenge(self) -> str:
        return 'Bearer error="insufficient_user_authentication"'


@pytest.fixture(autouse=True)
def people(monkeypatch: pytest.MonkeyPatch) -> None:
    real = signing_in.build
    monkeypatch.setattr(signing_in, "build", lambda *given: replace(real(*given), people=Present()))


class Charity:
    """An organization with a key, an admin, and gifts of Ada's."""

    def __init__(self, stand: Stand, registered: Any, secret: str) -> None:
        self.stand, self.id, self.secret = stand, registered.id, secret

    async def give(self, edge: Served, **donor: Any) -> str:
        value = {"name": "Ada Example", "email": "Ada@Example.org", "display": "public", **donor}
        posted = await edge.donate(gift(self.id, donor=value), self.secret)
        assert posted.status == 202
        return str(posted.json["id"])

    async def donor(self, donation: str) -> str:
        [row] = await self.stand.fetch(
            "SELECT profile FROM edge.donor_gifts WHERE donation = $1", donation
        )
        return str(row["profile"])

    def path(self, donor: str, what: str) -> str:
        return f"/v1/organizations/{self.id}/donors/{donor}/{what}"

    async def put(self, edge: Served, path: str, body: Any, secret: str | None = None) -> Any:
        headers = {"Authorization": f"Bearer {secret or self.secret}"}
        return await edge.ask("PUT", path, json=body, headers=headers)


@pytest.fixture
async def charity(stand: Stand) -> Charity:
    registered = await stand.register(scopes=SCOPES)
    await stand.change_permissions(
        (
            RelationshipChange(
                operation="touch",
                resource=f"organization:{registered.id}",
                relation="admin",
                subject=f"user:{ADMIN}",
            ),
        )
    )
    return Charity(stand, registered, registered.key.secret)
