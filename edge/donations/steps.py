"""What is asked of a gift that is not paid: another attempt to collect it, or that it never is.

Here only what the gift's state plainly excludes is refused. Payments looks again, and Stripe's
answer decides: a gift may be paid while the request is on its way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from contracts.identifiers import random_id
from contracts.message import BodyT, Envelope
from contracts.payments import PaymentAttemptRequested, PaymentCancelRequested
from edge.caller import Caller
from edge.donations.acceptance import Acceptance, Accepted
from edge.donations.models import CLOSED, AttemptRequest
from edge.donations.status import Donations, Seen
from edge.errors import ProblemError
from edge.limits.service import DonationLimits
from edge.times import spell_time
from topics import outbox
from topics.registry import PAYMENTS_ATTEMPT_REQUESTED, PAYMENTS_CANCEL_REQUESTED
from topics.topic import Topic

_SENDER: Final = "edge"
_PAID: Final = frozenset({"processing", "captured", "recorded"})


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks what of which gift: `route` with the gift in it is where the key is unique.

    `client` is the address that it is counted under, None when it is under none.
    """

    caller: Caller
    idempotency_key: str
    fingerprint: bytes
    route: str
    donation: str
    client: str | None = None


class Steps:
    """Takes in what is asked of gifts, once per Idempotency-Key."""

    def __init__(
        self,
        acceptance: Acceptance,
        donations: Donations,
        limits: DonationLimits,
        is_backlogged: Callable[[], bool],
    ) -> None:
        self._acceptance = acceptance
        self._limits = limits
        self._donations = donations
        self._is_backlogged = is_backlogged

    async def attempt(self, asked: Asked, body: AttemptRequest) -> Accepted:
        """Another attempt; ProblemError 409 unless the last one failed or waits for the donor."""
        if earlier := await self._earlier(asked):
            return earlier
        seen = await self._find(asked)
        if seen.status == "pending":
            raise ProblemError("donation_pending", headers={"Retry-After": "1"})
        await self._limits.admit(asked.client, seen.organization)
        request = PaymentAttemptRequested(
            donation=asked.donation,
            payment_method=body.payment_method,
            requested_by=asked.caller.id,
        )
        now = datetime.now(UTC)
        answer = seen.resource | {
            "status": "pending",
            "attempt": seen.resource["attempt"] + 1,
            "failure": None,
            "next_action": None,
            "updated_at": spell_time(now),
        }
        return await self._take(asked, seen, PAYMENTS_ATTEMPT_REQUESTED, request, answer, now)

    async def cancel(self, asked: Asked) -> Accepted:
        """That nobody shall pay the gift; ProblemError 409 when it is paid or closed."""
        if earlier := await self._earlier(asked):
            return earlier
        seen = await self._find(asked)
        request = PaymentCancelRequested(donation=asked.donation, reason="canceled")
        answer = seen.resource | {"next_action": None}
        now = datetime.now(UTC)
        return await self._take(asked, seen, PAYMENTS_CANCEL_REQUESTED, request, answer, now)

    async def _find(self, asked: Asked) -> Seen:
        if self._is_backlogged():
            raise ProblemError("backlog", headers={"Retry-After": "10"})
        seen = await self._donations.find_to_change(asked.caller, asked.donation)
        if seen.status in _PAID:
            raise ProblemError("donation_paid")
        if seen.status in CLOSED:
            raise ProblemError("donation_closed")
        return seen

    async def _earlier(self, asked: Asked) -> Accepted | None:
        return await self._acceptance.replay(_key_of(asked), asked.fingerprint)

    async def _take(
        self,
        asked: Asked,
        seen: Seen,
        topic: Topic[BodyT],
        body: BodyT,
        answer: dict[str, Any],
        now: datetime,
    ) -> Accepted:
        message = Envelope(
            id=random_id(now),
            type=topic.name,
            time=now,
            organization=seen.organization,
            cause=None,
            body=body,
        )
        result = await self._acceptance.take(
            *(_key_of(asked), asked.fingerprint),
            donation=asked.donation,
            api_key=asked.caller.id,
            answer=orjson.dumps(answer),
            organization=seen.organization,
            record=outbox.prepare(_SENDER, topic, message),
        )
        if isinstance(result, ProblemError):
            raise result
        return result


def _key_of(asked: Asked) -> tuple[str, str, str, str]:
    caller = asked.caller
    return caller.organization, caller.environment, asked.route, asked.idempotency_key
