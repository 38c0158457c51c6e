"""An organization whose ledger is read by many, and the business clock of its sandbox."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from edge.organizations.service import create_api_key
from ledger.entry import Request
from tests.edge.stand import Stand
from tests.ledger.making import donation, postings

OPENED = ["details", "money"]


@dataclass
class Society:
    """An organization with two funds, and whoever reads about it."""

    stand: Stand
    id: str
    slug: str
    funds: dict[str, str]

    @property
    def public(self) -> str:
        return f"/v1/public/organizations/{self.slug}/ledger"

    @property
    def member(self) -> str:
        return f"/v1/organizations/{self.slug}/ledger"

    async def key(self, *scopes: str, funds: tuple[str, ...] = (), owner: str | None = None) -> str:
        async with self.stand.edge_connection() as connection:
            key = await create_api_key(
                connection,
                master_key=self.stand.settings.master_key,
                environment="test",
                organization=owner or self.id,
                name="reader",
                scopes=scopes,
                funds=funds,
            )
        await self.stand.apply_permissions(owner or self.id)
        return key.secret

    def gift(self, of: object, amount_minor: int = 2500, **more: Any) -> Request:
        lines = postings(amount_minor, self.funds["EUR"])
        return donation(self.id, of, amount_minor, **{"postings": lines, **more})


async def business_now(stand: Stand) -> datetime:
    [row] = await stand.fetch("SELECT now FROM read.business_clock")
    now: datetime = row["now"]
    return now.astimezone(UTC)


async def advance(stand: Stand, **by: int) -> None:
    sql = "UPDATE sandbox.business_clock SET ahead = ahead + $1"
    await stand.fetch(sql, timedelta(**by))
