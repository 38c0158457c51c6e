"""A payout as a balanced entry. Pure: no await, no clock, no database."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal
from uuid import UUID

from contracts.donations import Visibility
from contracts.entries import EntryRequested, PostingRequested
from contracts.identifiers import business_id
from contracts.message import Envelope
from contracts.stripe_events import StripeEventReceived
from ledger.entry import spell_time
from workers.gateways.stripe_objects import AccessRevoked, Missing, Payout
from workers.runtime.worker import Refused

Reason = Literal["foreign", "access_revoked", "not_found", "not_booked"]

#: The events that payouts acts on. `failed` after `paid` needs an entry of its own kind, which
#: this version does not make: it is kept, with its reason, for a person.
HANDLING: Final[dict[str, Literal["paid", "failed"]]] = {
    "payout.paid": "paid",
    "payout.failed": "failed",
}
#: A payout is drawn from the default fund of its currency, whole.
RULE: Final = "default_fund"


@dataclass(frozen=True, slots=True)
class Owner:
    """The organization whose account paid out. `funds` are its default funds by currency."""

    stripe_account: str | None
    visibility: Visibility
    public_after_days: int
    funds: dict[str, str]


@dataclass(frozen=True, slots=True)
class Paid:
    """The payout is on the bank account: what the ledger shall record."""

    payout: Payout
    entry: EntryRequested


@dataclass(frozen=True, slots=True)
class Ignored:
    """The event moves nothing here, for a reason that is kept."""

    reason: Reason


Verdict = Paid | Ignored | None


def judge(
    event: Envelope[StripeEventReceived], payout: Payout | Missing | AccessRevoked, owner: Owner
) -> Verdict:
    """What `payout.paid` amounts to. Refused when no fund of the organization has the currency."""
    if isinstance(payout, Missing):
        return Ignored("not_found")
    if isinstance(payout, AccessRevoked):
        return Ignored("access_revoked")
    currency = payout.balance_transaction.currency
    if currency not in owner.funds:
        raise Refused("no_default_fund", f"the organization has no default fund in {currency}")
    return Paid(payout, payout_entry(payout, owner))


def payout_entry(payout: Payout, owner: Owner) -> EntryRequested:
    """The entry of kind `payout`, shown as the organization's entries are by default."""
    transaction = payout.balance_transaction
    lines = [
        ("Assets:Bank", -transaction.amount_minor),
        ("Expenses:ProcessorFees", transaction.fee_minor + transaction.platform_fee_minor),
        ("Assets:Stripe", transaction.net_minor),
    ]
    delayed = owner.visibility == "delayed_public"
    return EntryRequested(
        kind="payout",
        visibility=owner.visibility,
        public_after=payout.created + timedelta(days=owner.public_after_days) if delayed else None,
        subject=payout.id,
        postings=tuple(
            PostingRequested(
                account=account,
                amount=str(amount),
                currency=transaction.currency,
                fund=owner.funds[transaction.currency],
            )
            for account, amount in lines
            if amount
        ),
        details=details(payout),
    )


def details(payout: Payout) -> dict[str, Any]:
    """Where to find the payout, when it was made, and by which rule it was split over funds."""
    return {
        "payout": payout.id,
        "balance_transaction": payout.balance_transaction.id,
        "occurred": spell_time(payout.created),
        "rule": RULE,
    }


def paid_id(account: str, payout: Payout) -> UUID:
    """The id of the request, whichever event or sweep showed the payout."""
    return business_id(payout.created, f"stripe:{account}:payout:{payout.id}:paid")
