"""Cards that were declined too often lately: they are not tried again before some time is over.

Whoever tests stolen cards tries each several times, over many gifts, organizations and addresses.
What is known of a card is a keyed hash of Stripe's fingerprint, for an hour.
"""

import hashlib
import hmac
from collections.abc import Sequence

import structlog
from prometheus_client import Counter

from workers.gateways.database import Pool
from workers.gateways.grouping import Grouped
from workers.gateways.stripe_cards import fetch_fingerprint
from workers.gateways.stripe_gateway import StripeGateway
from workers.gateways.stripe_objects import Declined, Intent
from workers.payments import store_cards
from workers.runtime.worker import Transient

_refused = Counter(
    "amply_payments_cards_refused_total", "Attempts refused because their card failed too often"
)
_log = structlog.get_logger()


class Cards:
    """`declines_max` declines in an hour, over all organizations, and a card is refused; 0: off."""

    def __init__(self, pool: Pool, key: bytes, declines_max: int) -> None:
        self._pool, self._key, self._declines_max = pool, key, declines_max
        self._held: Grouped[None, frozenset[bytes]] = Grouped(self._ask_held)

    async def note(self, answer: object) -> None:
        """Count the decline that an answer of Stripe tells of, each once, if it does."""
        card = answer.declined_card if isinstance(answer, Intent) else None
        card = answer.card if isinstance(answer, Declined) else card
        if card is not None and self._declines_max:
            name = self._name(card.fingerprint)
            await store_cards.note(self._pool, card.charge, name, card.at)

    async def refuses(
        self, stripe: StripeGateway, account: str, payment_method: str | None
    ) -> bool:
        """Whether the card behind a payment method was declined too often.

        Stripe is asked whose card it is only while some card is refused. Whoever cannot look does
        not refuse: then what the edge counts has to do.
        """
        if payment_method is None or not self._declines_max:
            return False
        held = await self._held(None)
        if not held:
            return False
        try:
            fingerprint = await fetch_fingerprint(stripe, account, payment_method)
        except Transient:
            _log.warning("card_not_looked_at", account=account)
            return False
        is_refused = fingerprint is not None and self._name(fingerprint) in held
        if is_refused:
            _refused.inc()
        return is_refused

    async def forget(self) -> None:
        """Delete what no longer counts."""
        if self._declines_max:
            await store_cards.forget(self._pool)

    async def _ask_held(self, asked: Sequence[None]) -> list[frozenset[bytes]]:
        held = await store_cards.held(self._pool, self._declines_max)
        return [held] * len(asked)

    def _name(self, fingerprint: str) -> bytes:
        return hmac.digest(self._key, fingerprint.encode(), hashlib.sha256)
