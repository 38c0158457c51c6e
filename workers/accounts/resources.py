"""What accounts needs from outside its transaction: Stripe and a pool."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from workers.accounts import store
from workers.accounts.decisions import Looked
from workers.gateways.database import Pool, open_pool
from workers.gateways.stripe_accounts import fetch_account
from workers.gateways.stripe_gateway import StripeGateway, open_stripe


@dataclass(frozen=True, slots=True)
class Accounts:
    """Open for the life of the process."""

    stripe: StripeGateway
    pool: Pool

    async def look(self, account: str) -> Looked:
        """See at Stripe how an account is now."""
        began_at = await store.now(self.pool)
        return Looked(account, await fetch_account(self.stripe, account), began_at)


@asynccontextmanager
async def open_accounts(settings: Mapping[str, str]) -> AsyncIterator[Accounts]:
    """Open what the settings name."""
    async with open_pool(settings) as pool, open_stripe(settings) as gateway:
        yield Accounts(gateway, pool)
