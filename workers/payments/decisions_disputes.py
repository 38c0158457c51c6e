"""What is known of a dispute. Pure: no await, no clock, no database."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from contracts.disputes import DisputeChanged
from contracts.identifiers import business_id, type_id
from workers.gateways.stripe_disputes import Dispute
from workers.payments import bookings
from workers.payments.bookings import Booking, Origin, WrittenOff

#: Reasons that only a bank gives which returns a debit, and methods where it is the only way.
#: Source: Stripe, "Dispute reason codes" and "SEPA Direct Debit disputes".
_RETURNS: Final = frozenset(
    {
        "bank_cannot_process",
        "check_returned",
        "debit_not_authorized",
        "incorrect_account_details",
        "insufficient_funds",
    }
)
_DEBITS: Final = frozenset(
    {
        "acss_debit",
        "au_becs_debit",
        "bacs_debit",
        "nz_bank_account",
        "sepa_debit",
        "us_bank_account",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A dispute as it is stored. `movements` is how many balance transactions it had."""

    organization: str
    id: str
    donation: str
    charge: str
    stripe_dispute: str
    status: str
    reason: str
    amount_minor: int
    withdrawn_minor: int
    currency: str
    blocks_refunds: bool
    is_return: bool
    evidence_due_at: datetime | None
    movements: int
    written_off: WrittenOff = field(default_factory=WrittenOff)
    entries: tuple[str, ...] = ()
    version: int = 0
    seen_at: datetime
    created_at: datetime


def name_of(account: str, dispute: Dispute) -> str:
    """Our name of a dispute, whoever sees it first."""
    return type_id("dsp", business_id(dispute.created, f"stripe:{account}:dispute:{dispute.id}"))


def learn(
    known: Known | None, origin: Origin, dispute: Dispute, seen_at: datetime
) -> tuple[Known | None, list[Booking]]:
    """What is known after a look that began at `seen_at` (None: nothing new), and all entries.

    A look at an older state books what it saw, and changes nothing else.
    """
    name = name_of(origin.account, dispute)
    booked = bookings.of_dispute(origin, dispute, name)
    count = len(dispute.balance_transactions)
    if known is not None and (count, seen_at) < (known.movements, known.seen_at):
        return None, booked.movements
    before = known.written_off if known is not None else WrittenOff()
    adjusted, written_off = bookings.adjustment(origin, dispute, booked, before, name)
    made = booked.movements + ([adjusted] if adjusted is not None else [])
    entries = known.entries if known is not None else ()
    entries += tuple(one.entry_id for one in made if one.entry_id not in entries)
    news = Known(
        organization=origin.organization,
        id=name,
        donation=origin.gift.donation,
        charge=origin.charge.id,
        stripe_dispute=dispute.id,
        status=dispute.status,
        reason=dispute.reason,
        amount_minor=dispute.amount_minor,
        withdrawn_minor=_with_the_bank(dispute, booked),
        currency=dispute.currency,
        blocks_refunds=not dispute.is_charge_refundable and dispute.status != "won",
        is_return=origin.charge.method in _DEBITS or dispute.reason in _RETURNS,
        evidence_due_at=dispute.evidence_due,
        movements=count,
        written_off=written_off,
        entries=entries,
        version=known.version if known is not None else 0,
        seen_at=known.seen_at if known is not None else seen_at,
        created_at=dispute.created,
    )
    if news == known:
        return None, made
    return replace(news, version=news.version + 1, seen_at=seen_at), made


def _with_the_bank(dispute: Dispute, booked: bookings.DisputeBookings) -> int:
    """What is withdrawn now, in the dispute's currency."""
    if booked.withdrawn_minor == 0:
        return 0
    return dispute.amount_minor * booked.open_minor // booked.withdrawn_minor


def fact(known: Known) -> DisputeChanged:
    """The fact to tell of it."""
    return DisputeChanged(
        dispute=known.id,
        donation=known.donation,
        version=known.version,
        status=known.status,
        reason=known.reason,
        amount_minor=known.amount_minor,
        withdrawn_minor=known.withdrawn_minor,
        currency=known.currency,
        blocks_refunds=known.blocks_refunds,
        is_return=known.is_return,
        evidence_due_at=known.evidence_due_at,
        stripe_dispute=known.stripe_dispute,
        entries=known.entries,
        created_at=known.created_at,
    )
