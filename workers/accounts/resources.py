"""What accounts needs from outside its transaction: Stripe, a pool, keys, our address, a clock."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from contracts import connect
from ledger.keys import derive, encrypt
from workers.accounts import store
from workers.accounts.decisions import Looked
from workers.gateways.database import Pool, open_pool
from workers.gateways.stripe_accounts import fetch_account
from workers.gateways.stripe_gateway import StripeGateway, open_stripe
from workers.settings import required, secret_file

#: The purpose of the key that encrypts links.
LINK_PURPOSE: Final = "account-link"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Accounts:
    """Open for the life of the process. `url` is the edge's public address."""

    stripe: StripeGateway
    pool: Pool
    link_key: bytes
    token_key: bytes
    url: str
    now: Callable[[], datetime] = _now

    async def look(self, account: str) -> Looked:
        """See at Stripe how an account is now."""
        began_at = await store.now(self.pool)
        return Looked(account, await fetch_account(self.stripe, account), began_at)

    def address(
        self, page: str, action: connect.LinkAction, organization: str, asked_at: datetime
    ) -> str:
        """Where Stripe sends the person who filled in a form, or whose link was used up.

        The same for one request, however often it is repeated: Stripe compares bodies.
        """
        token = connect.spell_token(self.token_key, action, organization, asked_at)
        return f"{self.url}/v1/connect/{page}?token={token}"

    def seal(self, url: str, request: str) -> bytes:
        """A link, encrypted and bound to the request that it answers."""
        return encrypt(self.link_key, url.encode(), request.encode())


@asynccontextmanager
async def open_accounts(settings: Mapping[str, str]) -> AsyncIterator[Accounts]:
    """Open what the settings name."""
    master = secret_file(settings, "AMPLY_MASTER_KEY", "the file of the master key")
    url = required(settings, "AMPLY_URL", "the public base address").rstrip("/")
    async with open_pool(settings) as pool, open_stripe(settings, "accounts") as gateway:
        yield Accounts(
            gateway, pool, derive(master, LINK_PURPOSE), derive(master, connect.PURPOSE), url
        )
