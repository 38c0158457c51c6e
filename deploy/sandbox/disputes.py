"""Disputes and inquiries (docs.stripe.com/disputes, docs.stripe.com/api/disputes).

An inquiry (`warning_...`) moves no money; a chargeback takes the disputed amount and a fee at once,
in the account's currency and at the rate of now. How a dispute goes on is in `dispute_states.py`.
"""

from dataclasses import dataclass
from typing import Any

from deploy.sandbox import balance, dispute_states, instruments, lists, refund_states, timers
from deploy.sandbox.calls import Call
from deploy.sandbox.errors import StripeError
from deploy.sandbox.identifiers import new_id
from deploy.sandbox.metadata import merged
from deploy.sandbox.money import CURRENCIES
from deploy.sandbox.query import Query
from deploy.sandbox.store import Body

RESPONSE_S = 20 * balance.DAY_S
INQUIRY_S = 120 * balance.DAY_S

# Reason -> Visa's code for it (docs.stripe.com/disputes/categories); None where only banks say it.
REASONS = {
    "bank_cannot_process": None,
    "check_returned": None,
    "credit_not_processed": "13.6",
    "customer_initiated": None,
    "debit_not_authorized": None,
    "duplicate": "12.6",
    "fraudulent": "10.4",
    "general": "12.5",
    "incorrect_account_details": None,
    "insufficient_funds": None,
    "noncompliant": "compliance",
    "product_not_received": "13.1",
    "product_unacceptable": "13.3",
    "subscription_canceled": "13.2",
    "unrecognized": "10.4",
}
EVIDENCE = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)
# What a text in `evidence[uncategorized_text]` makes the bank decide, in Stripe's test mode.
_TEST_EVIDENCE = {
    "winning_evidence": "dispute.win",
    "losing_evidence": "dispute.lose",
    "escalate_inquiry_evidence": "dispute.escalate",
}


@dataclass(frozen=True, slots=True)
class Opened:
    """What a bank sends: `amount` in the charge's smallest unit, None for all that was captured.

    `fee` is Stripe's for a chargeback, in the settlement currency, None for the usual one;
    `withdraws` False lets a prevented dispute end before any money moved.
    """

    amount: int | None = None
    reason: str = "fraudulent"
    status: str = "needs_response"
    fee: int | None = None
    withdraws: bool = True


def open_dispute(call: Call, charge: Body, opened: Opened) -> Body:
    """Dispute a charge; raises StripeError (400) for one that brought no money."""
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise StripeError(400, f"Charge {charge['id']} brought no money to dispute.")
    dispute = _blank(call, charge, opened)
    tags = {"charge": charge["id"], "payment_intent": charge["payment_intent"]}
    charge["disputed"] = True
    call.store.update(charge)
    call.store.insert(call.account, dispute, tags)
    inquiry = opened.status.startswith("warning_")
    withdrawn = opened.withdraws and not inquiry
    if withdrawn:
        _withdraw(call, charge, dispute, opened.fee)
    call.emit("charge.dispute.created", dispute)
    if withdrawn:
        call.emit("charge.dispute.funds_withdrawn", dispute)
        refund_states.end_for_dispute(call, charge)
    if opened.status in dispute_states.CLOSED:
        dispute_states.end(call, dispute, fee_returned=True)
    elif inquiry:
        timers.start(call, "dispute.close_inquiry", dispute["id"], call.now + INQUIRY_S)
    elif opened.status == "needs_response":
        timers.start(call, "dispute.due", dispute["id"], call.now + RESPONSE_S)
    return dispute


def _withdraw(call: Call, charge: Body, dispute: Body, fee: int | None) -> None:
    usual = 0 if dispute["status"] == "prevented" else instruments.dispute_fee(call, charge)
    dispute_states.withdraw(call, dispute, usual if fee is None else fee)


def _blank(call: Call, charge: Body, opened: Opened) -> Body:
    inquiry = opened.status.startswith("warning_")
    answerable = "card" in charge["payment_method_details"] and (
        opened.status not in dispute_states.CLOSED
    )
    due_by = call.now - call.now % balance.DAY_S + RESPONSE_S + balance.DAY_S - 1
    dispute: Body = {
        "id": new_id("du"),
        "object": "dispute",
        "amount": opened.amount or charge["amount_captured"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": due_by if answerable else 0,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry and not charge["refunded"],
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": opened.reason,
        "status": opened.status,
    }
    card = charge["payment_method_details"].get("card")
    if card:
        dispute["payment_method_details"] = _card_details(card, opened)
    return dispute


def _card_details(card: Body, opened: Opened) -> Body:
    case_type = "chargeback"
    if opened.status.startswith("warning_"):
        case_type = "inquiry"
    elif opened.status == "prevented":
        case_type = "resolution" if opened.withdraws else "block"
    details = {
        "brand": card["brand"],
        "case_type": case_type,
        "network": card["network"],
        "network_reason_code": REASONS[opened.reason],
    }
    return {"card": details, "type": "card"}


def by_bank(call: Call, given: dict[str, Any]) -> Body:
    """Dispute a charge as its payer's bank does (control API)."""
    if unknown := set(given) - set(Opened.__dataclass_fields__):
        raise ValueError(f"unknown: {sorted(unknown)}; known: {list(Opened.__dataclass_fields__)}")
    charge = call.load("charge", call.ids[0], "charge")
    if "card" not in charge["payment_method_details"]:
        # Who has authorized no debit gets the money back unasked, and nobody can answer.
        given = {"reason": "customer_initiated", "status": "lost"} | given
    opened = Opened(**given)
    if opened.reason not in REASONS:
        raise ValueError(f"reason must be one of {', '.join(REASONS)}")
    if opened.status not in dispute_states.STATUSES:
        raise ValueError(f"status must be one of {', '.join(dispute_states.STATUSES)}")
    return open_dispute(call, charge, opened)


@timers.on("card.dispute")
def _dispute_of_card(call: Call) -> None:
    """Do what the test card's number says after its charge."""
    charge = call.load("charge", call.ids[0], "charge")
    disputed = instruments.of_charge(charge).dispute
    if disputed is None:
        return
    part = charge["amount_captured"] // disputed.count
    part -= part % CURRENCIES[charge["currency"]].charge_multiple
    for _ in range(disputed.count):
        open_dispute(call, charge, Opened(part, disputed.reason, disputed.status))


@timers.on("card.fraud_warning")
def _warn(call: Call) -> None:
    """The issuer reports fraud before anybody disputes."""
    charge = call.load("charge", call.ids[0], "charge")
    warning: Body = {
        "id": new_id("issfr"),
        "object": "radar.early_fraud_warning",
        "actionable": not charge["refunded"],
        "charge": charge["id"],
        "created": call.now,
        "fraud_type": "unauthorized_use_of_card",
        "livemode": False,
        "payment_intent": charge["payment_intent"],
    }
    call.store.insert(call.account, warning)
    call.emit("radar.early_fraud_warning.created", warning)


def load(call: Call) -> Body:
    """`GET /v1/disputes/{id}`."""
    return dispute_states.fresh(call, call.load("dispute", call.ids[0], "dispute"))


def list_disputes(call: Call) -> Body:
    """`GET /v1/disputes`, by `charge` or `payment_intent`."""
    query = Query(call, "dispute")
    for name in ("charge", "payment_intent"):
        if name in call.params:
            query.tag(name, call.params[name])
    found = lists.page(call, query, "/v1/disputes")
    found["data"] = [dispute_states.fresh(call, dispute) for dispute in found["data"]]
    return found


def update(call: Call) -> Body:
    """`POST /v1/disputes/{id}`: evidence, sent to the bank unless `submit=false`."""
    dispute, params = load(call), call.params
    dispute["metadata"] = merged(dispute["metadata"], params.get("metadata"))
    evidence = params.get("evidence", {})
    submits = params.get("submit", "evidence" in params)
    if evidence or submits:
        if dispute["status"] not in ("needs_response", "warning_needs_response"):
            raise StripeError(
                400,
                f"This dispute has a status of {dispute['status']}; evidence can only be "
                "submitted while it needs a response.",
            )
        dispute["evidence"] |= evidence
        details = dispute["evidence_details"]
        details["has_evidence"] = any(dispute["evidence"][name] for name in EVIDENCE)
        if submits:
            details["submission_count"] += 1
            dispute["status"] = dispute["status"].replace("needs_response", "under_review")
            timers.cancel(call, "dispute.due", dispute["id"])
            decision = _TEST_EVIDENCE.get(dispute["evidence"]["uncategorized_text"] or "")
            if decision:
                timers.start(call, decision, dispute["id"], call.now)
    call.store.update(dispute)
    call.emit("charge.dispute.updated", dispute)
    return dispute


def close(call: Call) -> Body:
    """`POST /v1/disputes/{id}/close`: the organization accepts it."""
    dispute = load(call)
    if dispute["status"] not in ("needs_response", "warning_needs_response"):
        raise StripeError(400, f"A dispute with a status of {dispute['status']} cannot be closed.")
    lost = dispute["status"] == "needs_response"
    return dispute_states.move(call, dispute, "lost" if lost else "warning_closed")
