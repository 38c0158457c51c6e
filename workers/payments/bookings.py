"""Refunds and disputes as balanced entries. Pure: no await, no clock, no database.

Every entry is one balance transaction of Stripe's, with its own figures; only the adjustments that
write a lost dispute off move no money at Stripe. What the donor's currency differs from the
settlement currency by appears on `Equity:Conversion`, so that a fund's assets keep one currency.
The processor's fee of the gift is not given back: it stays the organization's expense.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from contracts.donations import DonationRequested
from contracts.entries import EntryKind, EntryRequested, PostingRequested
from contracts.identifiers import business_id, caused_id, type_id
from ledger.entry import spell_time
from topics.registry import ENTRIES_REQUESTED
from workers.gateways.stripe_charges import PaidCharge
from workers.gateways.stripe_disputes import Dispute
from workers.gateways.stripe_objects import BalanceTransaction
from workers.gateways.stripe_refunds import Refund
from workers.runtime.worker import Refused

Line = tuple[str, int, str]

#: Nothing more is expected of the bank; `prevented` ones are settled by giving the money back.
LOST: Final = frozenset({"lost", "prevented", "warning_closed"})


@dataclass(frozen=True, slots=True)
class Origin:
    """The gift that a charge paid, on the account where the charge is.

    `is_booked`: its money is, so `gift.fund` is the fund that holds it.
    """

    organization: str
    account: str
    gift: DonationRequested
    charge: PaidCharge
    is_booked: bool = True

    @property
    def entry(self) -> str:
        """The id of the gift's entry, whether it was recorded yet or not."""
        captured = business_id(
            self.charge.created, f"stripe:{self.account}:charge:{self.charge.id}:captured"
        )
        return type_id("ent", caused_id(captured, ENTRIES_REQUESTED.name))


@dataclass(frozen=True, slots=True)
class Booking:
    """An entry to request under `id`, and the movement of `source` it is about, if any."""

    id: UUID
    entry: EntryRequested
    movement: BalanceTransaction | None
    source: str

    @property
    def entry_id(self) -> str:
        """The id that the entry will have."""
        return type_id("ent", self.id)


@dataclass(frozen=True, slots=True)
class Subject:
    """A refund or dispute: Stripe's id of it, our name of it, what its entries say of it."""

    kind: Literal["refund", "dispute"]
    id: str
    name: str
    created: datetime
    details: dict[str, Any]


def of_refund(origin: Origin, refund: Refund, subject: str) -> list[Booking]:
    """What a refund moved: the refund, and its return when it failed.

    Refused when the figures do not add up. `subject` is our name of it.
    """
    details: dict[str, Any] = {"refund": subject, "stripe_refund": refund.id}
    if refund.reason is not None:
        details["reason"] = refund.reason
    about = Subject("refund", refund.id, subject, refund.created, details)
    made: list[Booking] = []
    if (moved := refund.balance_transaction) is not None:
        lines = _refund_lines(moved, refund.amount_minor, refund.currency)
        made.append(_booking(origin, about, "refund", origin.entry, lines, "refunded", moved))
    if (moved := refund.failure_balance_transaction) is not None:
        lines = _refund_lines(moved, -refund.amount_minor, refund.currency)
        ref = made[0].entry_id if made else origin.entry
        made.append(_booking(origin, about, "refund_failed", ref, lines, "failed", moved))
    return made


def _refund_lines(moved: BalanceTransaction, given_back_minor: int, currency: str) -> list[Line]:
    """The settlement against income, which loses `given_back_minor` of the donor's currency."""
    settled = moved.currency
    lines = [
        ("Assets:Stripe", moved.net_minor, settled),
        ("Expenses:ProcessorFees", moved.fee_minor, settled),
        ("Expenses:PlatformFees", moved.platform_fee_minor, settled),
    ]
    return lines + _income(-moved.amount_minor, settled, given_back_minor, currency)


def _income(settled_minor: int, settled: str, presented_minor: int, presented: str) -> list[Line]:
    """Income loses what left in the settlement currency, named in the donor's."""
    if settled == presented:
        if settled_minor != presented_minor:
            raise Refused("balance_mismatch", "the balance transaction is not about this amount")
        return [("Income:Donations", presented_minor, presented)]
    return [
        ("Equity:Conversion", settled_minor, settled),
        ("Equity:Conversion", -presented_minor, presented),
        ("Income:Donations", presented_minor, presented),
    ]


@dataclass(frozen=True, slots=True)
class WrittenOff:
    """What of a dispute was written off so far, by how many entries, `newest` the last of them.

    `settled_minor` left Assets:Disputed; `presented_minor` is the same in the dispute's currency.
    """

    settled_minor: int = 0
    presented_minor: int = 0
    entries: int = 0
    newest: str | None = None


@dataclass(frozen=True, slots=True)
class DisputeBookings:
    """What a dispute moved so far, and what is then still with the bank."""

    movements: list[Booking]
    withdrawn_minor: int
    open_minor: int
    currency: str
    withdrawal: str | None


def of_dispute(origin: Origin, dispute: Dispute, subject: str) -> DisputeBookings:
    """One entry for each balance transaction of a dispute.

    What comes back reverses what was taken. If it was converted, all of it: the rate of another day
    is the difference. Refused when a movement is of a kind that disputes do not have.
    """
    made: list[Booking] = []
    open_minor = withdrawn_minor = 0
    withdrawal = None
    currency = dispute.currency
    for moved in sorted(dispute.balance_transactions, key=_in_order):
        currency = moved.currency
        fee = moved.fee_minor + moved.platform_fee_minor
        lines = [
            ("Assets:Stripe", moved.net_minor, currency),
            ("Expenses:DisputeFees", fee, currency),
        ]
        kind: EntryKind
        if moved.category == "dispute":
            kind, ref = "dispute_withdrawn", origin.entry
            lines.append(("Assets:Disputed", -moved.amount_minor, currency))
            open_minor -= moved.amount_minor
            withdrawn_minor -= moved.amount_minor
        elif moved.category == "dispute_reversal":
            kind, ref = "dispute_reinstated", withdrawal or origin.entry
            is_converted = currency != dispute.currency
            back_minor = open_minor if is_converted else min(open_minor, moved.amount_minor)
            lines.append(("Assets:Disputed", -back_minor, currency))
            lines.append(("Equity:Conversion", back_minor - moved.amount_minor, currency))
            open_minor -= back_minor
        else:
            raise Refused("unexpected_movement", f"a dispute moved {moved.category}")
        about = _about_dispute(dispute, subject)
        made.append(_booking(origin, about, kind, ref, lines, moved.id, moved))
        if kind == "dispute_withdrawn":
            withdrawal = made[-1].entry_id
    return DisputeBookings(made, withdrawn_minor, open_minor, currency, withdrawal)


def _in_order(moved: BalanceTransaction) -> tuple[datetime, bool, str]:
    """As they happened; within a second, what was taken comes before what came back."""
    return moved.created, moved.category != "dispute", moved.id


def to_write_off(dispute: Dispute, booked: DisputeBookings) -> tuple[int, int]:
    """What is lost for good: in the settlement currency, and in the dispute's.

    All that is with the bank of a lost dispute; of a won one what did not come back, once
    something did.
    """
    is_partly_back = booked.open_minor < booked.withdrawn_minor
    is_over = dispute.status in LOST or (dispute.status == "won" and is_partly_back)
    if not is_over or booked.open_minor == 0:
        return 0, 0
    if booked.currency == dispute.currency:
        return booked.open_minor, booked.open_minor
    return booked.open_minor, dispute.amount_minor * booked.open_minor // booked.withdrawn_minor


def adjustment(
    origin: Origin, dispute: Dispute, booked: DisputeBookings, before: WrittenOff, subject: str
) -> tuple[Booking | None, WrittenOff]:
    """The entry that makes what is written off what it should be; none when it is so already.

    A dispute won after it was lost takes back what was written off.
    """
    settled_minor, presented_minor = to_write_off(dispute, booked)
    lost_minor = settled_minor - before.settled_minor
    if lost_minor == 0 or booked.withdrawal is None:
        return None, before
    number = before.entries + 1
    lines = [("Assets:Disputed", -lost_minor, booked.currency)]
    back_minor = presented_minor - before.presented_minor
    lines += _income(lost_minor, booked.currency, back_minor, dispute.currency)
    about = _about_dispute(dispute, subject)
    about.details["status"] = dispute.status
    ref = before.newest or booked.withdrawal
    made = _booking(origin, about, "adjustment", ref, lines, f"adjusted:{number}")
    return made, WrittenOff(settled_minor, presented_minor, number, made.entry_id)


def _about_dispute(dispute: Dispute, name: str) -> Subject:
    details = {"dispute": name, "stripe_dispute": dispute.id, "reason": dispute.reason}
    return Subject("dispute", dispute.id, name, dispute.created, details)


def _booking(
    origin: Origin,
    about: Subject,
    kind: EntryKind,
    ref: str,
    lines: Iterable[Line],
    movement: str,
    moved: BalanceTransaction | None = None,
) -> Booking:
    created = about.created if moved is None else moved.created
    details = about.details | {
        "donation": origin.gift.donation,
        "account": origin.account,
        "charge": origin.charge.id,
    }
    if moved is not None:
        details |= {"balance_transaction": moved.id, "occurred": spell_time(moved.created)}
    entry = EntryRequested(
        kind=kind,
        visibility=origin.gift.visibility,
        public_after=origin.gift.public_after,
        ref=ref,
        subject=about.name,
        postings=tuple(
            PostingRequested(
                account=account, amount=str(amount), currency=currency, fund=origin.gift.fund
            )
            for account, amount, currency in lines
            if amount
        ),
        details=details,
    )
    key = f"stripe:{origin.account}:{about.kind}:{about.id}:{movement}"
    return Booking(business_id(created, key), entry, moved, about.id)
