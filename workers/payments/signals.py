"""What operators see of events that moved nothing: one count per reason, an alert for a forgery."""

from collections.abc import Sequence
from typing import Final

import structlog
from prometheus_client import Counter

from contracts.message import Envelope
from contracts.stripe_events import StripeEventReceived
from workers.payments.decisions import Ignored

_log = structlog.get_logger()

IGNORED: Final = Counter(
    "amply_payments_ignored_events", "Stripe events that moved nothing.", ["reason"]
)


def tell_ignored(ignored: Sequence[tuple[Envelope[StripeEventReceived], Ignored]]) -> None:
    """Count ignored events; an account that names another organization's gift is an alert."""
    for message, verdict in ignored:
        IGNORED.labels(verdict.reason).inc()
        if verdict.reason == "account_mismatch":
            _log.error(
                "security_alert",
                alert="account_mismatch",
                event_id=message.body.event,
                account=message.body.account,
                organization=message.organization,
            )
