"""What payments needs from outside its transaction: Stripe, a pool, a key, the clock."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from contracts.donations import DonationRequested
from contracts.message import Envelope
from ledger.keys import derive, encrypt
from workers.gateways.business_clock import BusinessClock
from workers.gateways.database import Pool, open_pool
from workers.gateways.grouping import Grouped
from workers.gateways.stripe_gateway import StripeGateway, open_stripe
from workers.gateways.stripe_objects import AccessRevoked, Declined, Intent, Unresolved
from workers.payments import store
from workers.payments.cards import Cards
from workers.payments.decisions import Attempt, key_may_be_forgotten, search_is_current
from workers.payments.expiry import sweep_for_ever
from workers.payments.store import Expiry, Opened
from workers.runtime.worker import Transient
from workers.settings import integer, required, secret_file


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Payments:
    """Open for the life of the process. `return_url`: where a bank sends its customer back to."""

    stripe: StripeGateway
    pool: Pool
    client_secret_key: bytes
    open_attempt: Grouped[Envelope[DonationRequested], Opened | None]
    attempt_of_object: Grouped[tuple[str, str], Attempt | None]
    expiry: Expiry
    clock: BusinessClock
    cards: Cards
    return_url: str
    now: Callable[[], datetime] = _now

    async def charge(
        self,
        account: str,
        attempt: int,
        asked: Envelope[Any],
        gift: DonationRequested,
        payment_method: str | None,
        *,
        begun_before: bool,
    ) -> Intent | Declined | AccessRevoked:
        """Charge the gift once, however often this is called because of the message `asked`.

        `begun_before`: an earlier delivery of it may have called Stripe.
        """
        # A sandbox forgets keys by its clock, which a person may have moved by days meanwhile.
        if begun_before and key_may_be_forgotten(asked.time, await self.clock.now(self.pool)):
            found = await self.stripe.find_intent(account, gift.donation)
            if found is not None:
                return found
        answer = await self.stripe.create_intent(
            account,
            donation=gift.donation,
            organization=asked.organization,
            amount_minor=gift.charge_amount_minor,
            currency=gift.currency,
            payment_method=payment_method,
            attempt=attempt,
            platform_fee_minor=gift.platform_fee_minor,
        )
        if isinstance(answer, Unresolved):
            return await self._resolve(account, attempt, asked.organization, gift.donation)
        return answer

    async def _resolve(
        self, account: str, attempt: int, organization: str, donation: str
    ) -> Intent | AccessRevoked:
        """What came of a call that Stripe failed at; if nothing did, the next key's turn comes."""
        now = self.now()
        since = await store.unresolved_since(self.pool, organization, donation, now)
        if not search_is_current(since, now):
            raise Transient("Stripe failed, and its search may not show yet what came of the call")
        found = await self.stripe.find_intent(account, donation)
        if found is not None:
            return found
        await store.take_next_key(self.pool, organization, donation, attempt)
        raise Transient("nothing came of the call that Stripe failed at: it is made anew")

    def sealer(self, donation: str) -> Callable[[str], bytes]:
        """What encrypts a client secret and binds it to its gift."""
        return lambda secret: encrypt(self.client_secret_key, secret.encode(), donation.encode())


@asynccontextmanager
async def open_payments(settings: Mapping[str, str]) -> AsyncIterator[Payments]:
    """Open what the settings name; while it is open, overdue gifts are asked to be closed."""
    master = secret_file(settings, "AMPLY_MASTER_KEY", "the file of the master key")
    hours = integer(settings, "AMPLY_PAYMENT_EXPIRY_HOURS", 24, least=1, most=24 * 365)
    is_live = settings.get("AMPLY_ENVIRONMENT") == "live"
    name, usual = "AMPLY_LIMIT_CARD_DECLINES_PER_HOUR", 3 if is_live else 0
    declines_max = integer(settings, name, usual, least=0, most=10_000)
    url = required(settings, "AMPLY_URL", "the public base address")
    return_url = settings.get("AMPLY_RETURN_URL", "").strip() or url
    expiry = Expiry(timedelta(hours=hours), _now if is_live else lambda: None)
    async with open_pool(settings) as pool, open_stripe(settings, "payments") as gateway:
        cards = Cards(pool, derive(master, "card-declines"), declines_max)
        payments = Payments(
            gateway,
            pool,
            derive(master, "client-secret"),
            Grouped(partial(store.open_attempts, pool, expiry)),
            Grouped(partial(store.attempts_of_objects, pool)),
            expiry,
            BusinessClock(settings),
            cards,
            return_url,
        )
        sweeping = asyncio.create_task(sweep_for_ever(pool, expiry, cards))
        try:
            yield payments
        finally:
            sweeping.cancel()
            await asyncio.wait({sweeping})
