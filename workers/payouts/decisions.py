"""Payouts and account-level fees as balanced entries. Pure: no await, no clock, no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from contracts.donations import Visibility
from contracts.entries import EntryKind, EntryRequested, PostingRequested
from contracts.identifiers import business_id, type_id
from ledger.entry import spell_time
from workers.gateways.stripe_balance import OF_PAYMENTS, BalanceLine
from workers.gateways.stripe_payouts import Payout, Status
from workers.payouts.splitting import FOREIGN, Rule, allot

Reason = Literal["foreign", "access_revoked", "not_found"]

#: The events that name a payout to be looked at.
HANDLED: Final = frozenset(
    {
        "payout.created",
        "payout.updated",
        "payout.paid",
        "payout.failed",
        "payout.canceled",
        "payout.reconciliation_completed",
    }
)
#: The order in which a payout's statuses are believed: two looks at once may end in any order.
RANKS: Final[dict[Status, int]] = {
    "pending": 0,
    "in_transit": 1,
    "paid": 2,
    "failed": 3,
    "canceled": 3,
}
#: A fee of the whole account is nobody's gift: the default fund of its currency bears it, so that
#: no restricted fund does.
FEE_RULE: Final = "default_fund"
_FAMILIES: Final = ("payout", "payout_reversal")


@dataclass(frozen=True, slots=True)
class Owner:
    """The organization whose account it is. `funds` are its default funds by currency."""

    visibility: Visibility
    public_after_days: int
    funds: dict[str, str]


@dataclass(frozen=True, slots=True)
class Movement:
    """A fund's share of a balance transaction, as its row says it: net = amount - fee."""

    fund: str
    amount_minor: int
    fee_minor: int
    net_minor: int


@dataclass(frozen=True, slots=True)
class Booked:
    """A balance transaction as rows and one entry. Without rows there is nothing to record."""

    line: BalanceLine
    movements: tuple[Movement, ...]
    entry: EntryRequested
    id: UUID
    time: datetime


def is_account_level(line: BalanceLine) -> bool:
    """Whether a line is a fee, tax or correction of the account: payouts books it."""
    return line.category not in _FAMILIES and not line.source.startswith(OF_PAYMENTS)


def paid_id(account: str, created: datetime, payout: str) -> UUID:
    """The id of the request of a payout's entry, whichever event or sweep showed the payout."""
    return business_id(created, f"stripe:{account}:payout:{payout}:paid")


def failed_id(account: str, created: datetime, payout: str) -> UUID:
    """The id of the request of the entry that brings a payout's money back."""
    return business_id(created, f"stripe:{account}:payout:{payout}:failed")


def fee_id(account: str, line: BalanceLine) -> UUID:
    """The id of the request of a fee's entry."""
    return business_id(line.created, f"stripe:{account}:balance_transaction:{line.id}:fee")


def entry_id(identifier: UUID) -> str:
    """The id of the entry that a request asks for."""
    return type_id("ent", identifier)


def book_payout(
    account: str, payout: Payout, owner: Owner, shares: Mapping[str, int], rule: Rule
) -> Booked:
    """Money of the funds left Stripe for the bank. `shares` include the payout's fee."""
    fees = allot(payout.line.fee_minor, shares)
    movements = tuple(
        Movement(fund, fees[fund] - share, fees[fund], -share)
        for fund, share in shares.items()
        if fund != FOREIGN
    )
    postings = [
        line
        for movement in movements
        for line in (
            ("Assets:Bank", -movement.amount_minor, movement.fund),
            ("Expenses:ProcessorFees", movement.fee_minor, movement.fund),
            ("Assets:Stripe", movement.net_minor, movement.fund),
        )
    ]
    details = {
        **_details(payout, payout.line, payout.created),
        "rule": rule,
        "foreign_minor": shares.get(FOREIGN, 0),
    }
    entry = _entry("payout", owner, payout.line, payout.created, payout.id, postings, details)
    identifier = paid_id(account, payout.created, payout.id)
    return Booked(payout.line, movements, entry, identifier, payout.created)


def book_failure(
    account: str, payout: Payout, owner: Owner, shares: Mapping[str, int], rule: Rule
) -> Booked:
    """The bank did not take it, or it was canceled: the money is back. After `book_payout`."""
    line = payout.failure_line
    assert line is not None
    fees = allot(payout.line.fee_minor, shares)
    banked = {fund: share - fees[fund] for fund, share in shares.items()}
    # What comes back need not be what the bank should have got: a fee may come back, or be taken.
    more = allot(line.net_minor - sum(banked.values()), shares)
    movements = tuple(
        Movement(fund, banked[fund], -more[fund], banked[fund] + more[fund])
        for fund in shares
        if fund != FOREIGN
    )
    postings = [
        posting
        for movement in movements
        for posting in (
            ("Assets:Bank", -movement.amount_minor, movement.fund),
            ("Expenses:ProcessorFees", movement.fee_minor, movement.fund),
            ("Assets:Stripe", movement.net_minor, movement.fund),
        )
    ]
    details = {
        **_details(payout, line, line.created),
        "status": payout.status,
        "rule": rule,
        "foreign_minor": shares.get(FOREIGN, 0),
    }
    if payout.failure_code is not None:
        details["failure_code"] = payout.failure_code
    entry = _entry("payout_failed", owner, line, line.created, payout.id, postings, details)
    ref = entry_id(paid_id(account, payout.created, payout.id))
    identifier = failed_id(account, payout.created, payout.id)
    entry = entry.model_copy(update={"ref": ref})
    return Booked(line, movements, entry, identifier, line.created)


def book_fee(account: str, line: BalanceLine, owner: Owner, fund: str) -> Booked:
    """A fee, tax or correction of the account, which no gift and no payout caused."""
    cost = -line.net_minor
    postings = [
        ("Expenses:ProcessorFees", cost, fund),
        ("Assets:Stripe", line.net_minor, fund),
    ]
    details = {
        "balance_transaction": line.id,
        "category": line.category,
        "source": line.source,
        "occurred": spell_time(line.created),
        "rule": FEE_RULE,
    }
    movement = Movement(fund, line.amount_minor, line.fee_minor, line.net_minor)
    entry = _entry("fee", owner, line, line.created, line.id, postings, details)
    return Booked(line, (movement,) if cost else (), entry, fee_id(account, line), line.created)


def _details(payout: Payout, line: BalanceLine, occurred: datetime) -> dict[str, Any]:
    return {
        "payout": payout.id,
        "balance_transaction": line.id,
        "occurred": spell_time(occurred),
        "automatic": payout.automatic,
    }


def _entry(
    kind: EntryKind,
    owner: Owner,
    line: BalanceLine,
    occurred: datetime,
    subject: str,
    postings: list[tuple[str, int, str]],
    details: dict[str, Any],
) -> EntryRequested:
    """An entry, shown as the organization's entries are by default."""
    delayed = owner.visibility == "delayed_public"
    return EntryRequested(
        kind=kind,
        visibility=owner.visibility,
        public_after=occurred + timedelta(days=owner.public_after_days) if delayed else None,
        subject=subject,
        postings=tuple(
            PostingRequested(account=name, amount=str(amount), currency=line.currency, fund=fund)
            for name, amount, fund in postings
            if amount
        ),
        details=details,
    )
