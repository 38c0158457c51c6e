"""What payments needs from outside its transaction: Stripe, a pool, a key, the clock."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from contracts.donations import DonationRequested
from contracts.message import Envelope
from ledger.keys import derive, encrypt
from workers.gateways.database import Pool, open_pool
from workers.gateways.grouping import Grouped
from workers.gateways.stripe_gateway import StripeGateway, open_stripe
from workers.gateways.stripe_objects import AccessRevoked, Declined, Intent, Unresolved
from workers.payments import store
from workers.payments.decisions import Attempt, key_may_be_forgotten, search_is_current
from workers.payments.store import Opened
from workers.runtime.worker import Transient
from workers.settings import secret_file


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Payments:
    """Open for the life of the process."""

    stripe: StripeGateway
    pool: Pool
    client_secret_key: bytes
    open_attempt: Grouped[Envelope[DonationRequested], Opened | None]
    attempt_of_object: Grouped[tuple[str, str], Attempt | None]
    now: Callable[[], datetime] = _now

    async def charge(
        self, account: str, attempt: int, message: Envelope[DonationRequested]
    ) -> Intent | Declined | AccessRevoked:
        """Charge the gift once, however often this is called."""
        gift = message.body
        if key_may_be_forgotten(message.time, self.now()):
            found = await self.stripe.find_intent(account, gift.donation)
            if found is not None:
                return found
        answer = await self.stripe.create_intent(
            account,
            donation=gift.donation,
            organization=message.organization,
            amount_minor=gift.charge_amount_minor,
            currency=gift.currency,
            payment_method=gift.payment_method,
            attempt=attempt,
        )
        if isinstance(answer, Unresolved):
            return await self._resolve(account, attempt, message)
        return answer

    async def _resolve(
        self, account: str, attempt: int, message: Envelope[DonationRequested]
    ) -> Intent | AccessRevoked:
        """What came of a call that Stripe failed at; if nothing did, the next key's turn comes."""
        now = self.now()
        since = await store.unresolved_since(self.pool, message, now)
        if not search_is_current(since, now):
            raise Transient("Stripe failed, and its search may not show yet what came of the call")
        found = await self.stripe.find_intent(account, message.body.donation)
        if found is not None:
            return found
        await store.take_next_key(self.pool, message, attempt)
        raise Transient("nothing came of the call that Stripe failed at: it is made anew")

    def sealer(self, donation: str) -> Callable[[str], bytes]:
        """What encrypts a client secret and binds it to its gift."""
        return lambda secret: encrypt(self.client_secret_key, secret.encode(), donation.encode())


@asynccontextmanager
async def open_payments(settings: Mapping[str, str]) -> AsyncIterator[Payments]:
    """Open what the settings name."""
    master = secret_file(settings, "AMPLY_MASTER_KEY", "the file of the master key")
    async with open_pool(settings) as pool, open_stripe(settings) as gateway:
        yield Payments(
            gateway,
            pool,
            derive(master, "client-secret"),
            Grouped(partial(store.open_attempts, pool)),
            Grouped(partial(store.attempts_of_objects, pool)),
        )
