"""How disputes go on, and the money that each step moves.

warning_needs_response -> warning_under_review -> warning_closed, or escalated to needs_response;
needs_response -> under_review -> won or lost; even a lost one may be won after all. A withdrawal
and a reinstatement are one balance transaction each, at the rate of their own day.
"""

from typing import Any

from deploy.sandbox import balance, instruments, timers
from deploy.sandbox.calls import Call
from deploy.sandbox.errors import StripeError
from deploy.sandbox.store import Body

CLOSED = ("won", "lost", "warning_closed", "prevented")
NEXT = {
    "warning_needs_response": ("warning_under_review", "warning_closed", "needs_response"),
    "warning_under_review": ("warning_closed", "needs_response"),
    "needs_response": ("under_review", "won", "lost"),
    "under_review": ("won", "lost"),
    "lost": ("won",),
}
STATUSES = (*NEXT, "won", "warning_closed", "prevented")
_TIMERS = ("dispute.due", "dispute.close_inquiry", "dispute.win", "dispute.lose")


def fresh(call: Call, dispute: Body) -> Body:
    """Return a dispute with its balance transactions as they are now."""
    found = [call.store.find(each["id"]) for each in dispute["balance_transactions"]]
    dispute["balance_transactions"] = [
        balance.with_status(each[1], call.now) for each in found if each is not None
    ]
    return dispute


def withdraw(call: Call, dispute: Body, fee: int) -> None:
    """Take the disputed amount and a fee (in the settlement currency) from the account."""
    _book(call, dispute, -1, fee, "dispute", f"Chargeback withdrawal for {dispute['charge']}")


def reinstate(call: Call, dispute: Body, *, fee_returned: bool) -> None:
    """Give the disputed amount back at the rate of now, and the fee if so agreed."""
    fee = sum(each["fee"] for each in dispute["balance_transactions"]) if fee_returned else 0
    charge = dispute["charge"]
    _book(call, dispute, 1, -fee, "dispute_reversal", f"Chargeback reversal for {charge}")


def _book(
    call: Call, dispute: Body, sign: int, fee: int, reporting_category: str, description: str
) -> None:
    settlement = balance.settlement_currency(call, call.account, dispute["currency"])
    amount, rate = call.world.convert(dispute["amount"], dispute["currency"], settlement)
    transaction = balance.move(
        call,
        call.account,
        "adjustment",
        dispute["id"],
        sign * amount,
        settlement,
        available_on=call.now,
        description=description,
        exchange_rate=rate,
        fee_details=[balance.stripe_fee_line(fee, settlement, "Dispute fee")] if fee else [],
        reporting_category=reporting_category,
    )
    dispute["balance_transactions"].append(transaction)


def move(
    call: Call, dispute: Body, status: str, *, fee_returned: bool = True, fee: int | None = None
) -> Body:
    """Move a dispute on as its bank does; raises StripeError (400) where it cannot go.

    `fee_returned` says whether a won one brings its fee back; `fee` is that of an escalation.
    """
    if status not in NEXT.get(dispute["status"], ()):
        raise StripeError(400, f"A dispute that is {dispute['status']} cannot become {status}.")
    for kind in _TIMERS:
        timers.cancel(call, kind, dispute["id"])
    dispute["status"] = status
    if status in CLOSED:
        end(call, dispute, fee_returned=fee_returned)
        return dispute
    escalated = status == "needs_response"
    if escalated:
        _escalate(call, dispute, fee)
    call.store.update(dispute)
    call.emit("charge.dispute.updated", dispute)
    if escalated:
        call.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def _escalate(call: Call, dispute: Body, fee: int | None) -> None:
    charge = call.load("charge", dispute["charge"], "charge")
    withdraw(call, dispute, instruments.dispute_fee(call, charge) if fee is None else fee)
    dispute["is_charge_refundable"] = False
    if "payment_method_details" in dispute:
        dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
    timers.start(call, "dispute.due", dispute["id"], dispute["evidence_details"]["due_by"])


def end(call: Call, dispute: Body, *, fee_returned: bool) -> None:
    """Close a dispute that has its last status; a won one brings its money back."""
    won = dispute["status"] == "won"
    if won:
        reinstate(call, dispute, fee_returned=fee_returned)
    dispute["is_charge_refundable"] = dispute["is_charge_refundable"] and not won
    call.store.update(dispute)
    if won:
        call.emit("charge.dispute.funds_reinstated", dispute)
    call.emit("charge.dispute.closed", dispute)


def by_bank(call: Call, given: dict[str, Any]) -> Body:
    """Move a dispute on (control API): {"status", "fee_returned", "fee"}."""
    if unknown := set(given) - {"status", "fee_returned", "fee"}:
        raise ValueError(f"unknown: {sorted(unknown)}")
    dispute = fresh(call, call.load("dispute", call.ids[0], "dispute"))
    return move(
        call,
        dispute,
        given["status"],
        fee_returned=given.get("fee_returned", True),
        fee=given.get("fee"),
    )


def _decide(call: Call, card: str, inquiry: str) -> None:
    dispute = fresh(call, call.load("dispute", call.ids[0], "dispute"))
    move(call, dispute, inquiry if dispute["status"].startswith("warning_") else card)


@timers.on("dispute.win")
def _win(call: Call) -> None:
    _decide(call, "won", "warning_closed")


@timers.on("dispute.lose")
def _lose(call: Call) -> None:
    _decide(call, "lost", "needs_response")


@timers.on("dispute.escalate")
def _escalate_later(call: Call) -> None:
    _decide(call, "lost", "needs_response")


@timers.on("dispute.close_inquiry")
def _close_inquiry(call: Call) -> None:
    _decide(call, "lost", "warning_closed")


@timers.on("dispute.due")
def _miss_the_day(call: Call) -> None:
    """No evidence came in time: the bank decides for its customer."""
    dispute = fresh(call, call.load("dispute", call.ids[0], "dispute"))
    if dispute["status"] == "needs_response":
        move(call, dispute, "lost")
