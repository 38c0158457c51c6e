"""Somebody who keeps an organization's affairs over HTTP."""

import secrets
from typing import Any
from uuid import UUID

import orjson

from contracts.entries import EntryRequested
from contracts.events import ResourceChanged
from contracts.identifiers import type_id
from ledger.entry import DonorSeal, Request, spell_time
from tests.edge.scribe import Scribe
from tests.edge.society import Society
from tests.edge.stand import Answer, Served

SCOPES = (
    *("funds:read", "funds:write", "projects:read", "projects:write", "campaigns:read"),
    *("campaigns:write", "bookings:read", "bookings:write", "transactions:read", "donors:read"),
    *("donations:read", "donations:write", "events:read"),
)


class Office:
    """An organization, and a key that may do all of it."""

    def __init__(self, society: Society, edge: Served) -> None:
        self.society, self.edge = society, edge
        self.path = f"/v1/organizations/{society.slug}"

    async def open(self) -> "Office":
        self.key = await self.society.key(*SCOPES)
        self._told_before = len(await self._announced())
        return self

    async def post(self, path: str, body: Any, **how: Any) -> Answer:
        return await self.ask(
            "POST", path, body, Idempotency_Key=how.pop("key", None) or secrets.token_hex(8), **how
        )

    async def patch(self, path: str, change: Any, tag: str | None, **how: Any) -> Answer:
        headers = {"If_Match": tag} if tag is not None else {}
        return await self.ask("PATCH", path, change, **headers, **how)

    async def get(self, path: str, **how: Any) -> Answer:
        return await self.ask("GET", path, None, **how)

    async def ask(self, method: str, path: str, body: Any, **how: Any) -> Answer:
        headers = {"Authorization": f"Bearer {how.pop('secret', self.key)}"}
        headers |= {name.replace("_", "-"): value for name, value in how.items()}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = body if isinstance(body, bytes) else orjson.dumps(body)
        where = path if path.startswith("/v1/") else f"{self.path}/{path}"
        return await self.edge.ask(method, where, data=data, headers=headers)

    async def everything(self, path: str, limit: int = 2) -> list[Any]:
        """All rows of a list, page by page."""
        rows, cursor = [], ""
        while cursor is not None:
            joint = "&" if "?" in path else "?"
            more = f"&cursor={cursor}" if cursor else ""
            page = (await self.get(f"{path}{joint}limit={limit}{more}")).json
            rows += page["data"]
            cursor = page["next_cursor"]
        return rows

    async def record(self, *organizations: str) -> None:
        """What the ledger's writer does with all that was booked."""
        requests = []
        for organization in organizations or (self.society.id,):
            rows = await self.society.stand.messages(organization, "entries.requested.v1")
            requests += [_request(organization, row) for row in rows]
        await Scribe(self.society.stand).append(requests)

    async def told(self) -> list[tuple[str, str]]:
        """Type and subject of the events that were announced since the office is open."""
        bodies = [
            ResourceChanged.model_validate_json(row["value"]) for row in await self._announced()
        ]
        return [(body.event, body.subject) for body in bodies[self._told_before :]]

    async def _announced(self) -> list[Any]:
        return await self.society.stand.messages(self.society.id, "resources.changed.v1")


def _request(organization: str, row: Any) -> Request:
    body = EntryRequested.model_validate_json(row["value"])
    donor = body.donor
    return Request(
        id=type_id("ent", UUID(dict(orjson.loads(row["headers"]))["ce_id"])),
        organization=organization,
        kind=body.kind,
        visibility=body.visibility,
        public_after=spell_time(body.public_after) if body.public_after else None,
        ref=body.ref,
        subject=body.subject,
        postings=[line.model_dump() for line in body.postings] if body.postings else None,
        details=body.details,
        donor=DonorSeal(donor.profile, donor.seal, donor.opening) if donor else None,
    )
