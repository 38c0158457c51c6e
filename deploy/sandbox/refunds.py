"""Refunds (docs.stripe.com/refunds, docs.stripe.com/api/refunds).

A refund takes its money from the account when it is made (`balance_transaction`); if the account
has too little it stays `pending` with `insufficient_funds` and takes it when money comes. How it
goes on is in `refund_states.py`.
"""

from dataclasses import dataclass
from typing import Any

from deploy.sandbox import lists, refund_states
from deploy.sandbox.calls import Call
from deploy.sandbox.errors import StripeError, invalid_parameter, no_such
from deploy.sandbox.identifiers import new_id
from deploy.sandbox.metadata import merged
from deploy.sandbox.money import priced
from deploy.sandbox.query import Query
from deploy.sandbox.store import Body

NO_LONGER_DISPUTED = ("won", "warning_closed")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to refund: `amount` in the charge's smallest unit, None for all that is left.

    `status` is what the Dashboard's test wants of it, None what the payment method does; `fee`
    is what Stripe takes for the refund itself, in the settlement currency.
    """

    amount: int | None = None
    reason: str | None = None
    metadata: dict[str, str] | None = None
    application_fee: bool = False
    status: str | None = None
    fee: int = 0


def create(call: Call) -> Body:
    """`POST /v1/refunds`, of a charge or of an intent's charge."""
    params = call.params
    wanted = Wanted(
        amount=params.get("amount"),
        reason=params.get("reason"),
        metadata=params.get("metadata"),
        application_fee=params.get("refund_application_fee", False),
    )
    return make(call, _charge_named(call), wanted)


def _charge_named(call: Call) -> Body:
    params = call.params
    if ("charge" in params) == ("payment_intent" in params):
        raise invalid_parameter(
            "One of the following params should be provided for this request: payment_intent or "
            "charge.",
            None,
            "parameter_missing",
        )
    if "charge" in params:
        charge = call.store.get(call.account, "charge", params["charge"])
        if charge is None:
            raise no_such("charge", params["charge"], "charge")
        return charge
    intent = call.store.get(call.account, "payment_intent", params["payment_intent"])
    if intent is None:
        raise no_such("payment_intent", params["payment_intent"], "payment_intent")
    if intent["latest_charge"] is None or intent["status"] not in ("succeeded", "processing"):
        raise StripeError(
            400, f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
        )
    return call.load("charge", intent["latest_charge"], "charge")


def make(call: Call, charge: Body, wanted: Wanted) -> Body:
    """Refund a charge, by API or in the Dashboard; raises StripeError (400) as Stripe refuses."""
    amount = _check(call, charge, wanted.amount)
    if wanted.application_fee and not charge["application_fee"]:
        raise StripeError(
            400,
            "Attempting to refund_application_fee, but the charge has no application fee to be "
            "refunded.",
            param="refund_application_fee",
        )
    refund = _blank(call, charge, amount, wanted)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    if charge["status"] == "pending":
        refund |= {"status": "pending", "pending_reason": "charge_pending"}
    elif not refund_states.funded(call, charge, amount):
        refund_states.wait_for_money(call, refund, application_fee=wanted.application_fee)
    else:
        refund_states.take(
            call, charge, refund, application_fee=wanted.application_fee, fee=wanted.fee
        )
        refund_states.begin(call, charge, refund, wanted.status)
    tags = {"charge": charge["id"], "payment_intent": charge["payment_intent"]}
    call.store.insert(call.account, refund, tags)
    call.store.update(charge)
    _close_inquiries(call, charge)
    call.emit("refund.created", refund)
    call.emit("charge.refunded", charge)
    return refund


def _check(call: Call, charge: Body, amount: int | None) -> int:
    """Return how much to refund."""
    if charge["status"] == "failed" or not (charge["captured"] or charge["status"] == "pending"):
        raise StripeError(
            400,
            f"Charge {charge['id']} cannot be refunded: it brought no money.",
            code="charge_not_refundable",
        )
    if charge["disputed"]:
        for dispute in _disputes(call, charge):
            if not (dispute["is_charge_refundable"] or dispute["status"] in NO_LONGER_DISPUTED):
                raise StripeError(
                    400,
                    f"Charge {charge['id']} has been charged back; cannot issue a refund.",
                    code="charge_disputed",
                )
    left = charge["amount"] - charge["amount_refunded"]
    if left <= 0:
        raise StripeError(
            400,
            f"Charge {charge['id']} has already been refunded.",
            code="charge_already_refunded",
        )
    if amount is not None and amount > left:
        asked, most = (priced(each, charge["currency"]) for each in (amount, left))
        raise StripeError(
            400,
            f"Refund amount ({asked}) is greater than unrefunded amount on charge ({most})",
            param="amount",
        )
    return amount or left


def _disputes(call: Call, charge: Body) -> list[Body]:
    query = Query(call, "dispute")
    query.tag("charge", charge["id"])
    return [body for _, body in query.fetch(lists.LIMIT_MAX)]


def _close_inquiries(call: Call, charge: Body) -> None:
    """Nothing is left to dispute of a charge that is wholly refunded."""
    if not (charge["disputed"] and charge["refunded"]):
        return
    for dispute in _disputes(call, charge):
        if dispute["is_charge_refundable"]:
            dispute["is_charge_refundable"] = False
            call.store.update(dispute)
            call.emit("charge.dispute.updated", dispute)


def _blank(call: Call, charge: Body, amount: int, wanted: Wanted) -> Body:
    card = "card" in charge["payment_method_details"]
    refund: Body = {
        "id": new_id("re" if card else "pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "customer": None,
        "customer_account": None,
        "metadata": {key: value for key, value in (wanted.metadata or {}).items() if value},
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": wanted.reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }
    if card:
        details = {"reference_status": "pending", "reference_type": "acquirer_reference_number"}
        refund["destination_details"] = {"card": details | {"type": "refund"}, "type": "card"}
    return refund


def load(call: Call) -> Body:
    """`GET /v1/refunds/{id}`."""
    return call.load("refund", call.ids[0], "refund")


def update(call: Call) -> Body:
    """`POST /v1/refunds/{id}`: metadata only."""
    refund = load(call)
    refund["metadata"] = merged(refund["metadata"], call.params.get("metadata"))
    refund_states.tell(call, refund)
    return refund


def cancel(call: Call) -> Body:
    """`POST /v1/refunds/{id}/cancel`, while the donor must act."""
    refund = load(call)
    if refund["status"] != "requires_action":
        raise StripeError(
            400,
            f"Refund {refund['id']} cannot be canceled because it has a status of "
            f"{refund['status']}. Only a refund with the status requires_action may be canceled.",
        )
    return refund_states.advance(call, "canceled", "unknown")


def list_refunds(call: Call) -> Body:
    """`GET /v1/refunds`, by `charge` or `payment_intent`."""
    query = Query(call, "refund")
    for name in ("charge", "payment_intent"):
        if name in call.params:
            query.tag(name, call.params[name])
    return lists.page(call, query, "/v1/refunds")


def of_charge(call: Call) -> Body:
    """`GET /v1/charges/{id}/refunds`."""
    charge = call.load("charge", call.ids[0], "charge")
    query = Query(call, "refund")
    query.tag("charge", charge["id"])
    return lists.page(call, query, f"/v1/charges/{charge['id']}/refunds")


def in_dashboard(call: Call, given: dict[str, Any]) -> Body:
    """Refund as a person in the Dashboard does (control API): no key, no metadata of the caller."""
    known = {"amount", "reason", "status", "fee", "refund_application_fee"}
    if set(given) - known:
        raise ValueError(f"known: {', '.join(sorted(known))}")
    if given.get("status") not in (None, "pending", "requires_action", "succeeded"):
        raise ValueError("status must be pending, requires_action or succeeded")
    wanted = Wanted(
        amount=given.get("amount"),
        reason=given.get("reason", "requested_by_customer"),
        application_fee=given.get("refund_application_fee", False),
        status=given.get("status"),
        fee=given.get("fee", 0),
    )
    return make(call, call.load("charge", call.ids[0], "charge"), wanted)
