"""Payment intents (docs.stripe.com/payments/paymentintents/lifecycle)."""

import re

from deploy.sandbox import (
    balance,
    bodies,
    captures,
    charging,
    intent_checks,
    lists,
    publishable,
    timers,
)
from deploy.sandbox.calls import Answer, Call
from deploy.sandbox.declines import AUTHENTICATION_FAILED
from deploy.sandbox.errors import StripeError, invalid_parameter, unexpected_state
from deploy.sandbox.money import check_amount, check_currency
from deploy.sandbox.store import Body

CANCELABLE = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
)

_CLAUSE = re.compile(
    r"""\s*(?:metadata\[(?P<quote>['"])(?P<name>[^'"]{1,40})(?P=quote)\]|(?P<field>[a-z_]+))"""
    r"""\s*:\s*(?P<mark>['"])(?P<value>[^'"]{0,500})(?P=mark)\s*"""
)
_SEARCHABLE = ("status", "currency")


def create(call: Call) -> Body | Answer:
    """`POST /v1/payment_intents`, confirmed at once with `confirm=true`."""
    params = call.params
    account = intent_checks.check_account(call)
    params["currency"] = check_currency(params["currency"])
    intent_checks.check_methods_asked(call)
    settlement = balance.settlement_of(account, params["currency"])
    check_amount(params["amount"], params["currency"], settlement, call.world.rates)
    intent_checks.check_application_fee(call, params["amount"])
    intent = bodies.payment_intent(
        params, call.now, call.world.application if call.connected else None
    )
    if params.get("confirm"):
        intent_checks.check_return_url(call, intent)
    method = intent_checks.named_method(call)
    if method is not None:
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    elif params.get("confirm"):
        raise intent_checks.method_missing(intent)
    tags = {f"metadata.{name}": value for name, value in intent["metadata"].items()}
    call.store.insert(call.account, intent, tags)
    call.emit("payment_intent.created", intent)
    if method is not None and params.get("confirm"):
        return charging.attempt(call, intent, method)
    return intent


def load(call: Call) -> Body:
    """`GET /v1/payment_intents/{id}`, and the intent of every other call."""
    intent = call.load("payment_intent", call.ids[0], "intent")
    if call.publishable:
        publishable.check_secret(call, intent)
    return intent


def confirm(call: Call) -> Body | Answer:
    """`POST /v1/payment_intents/{id}/confirm`."""
    intent = load(call)
    intent_checks.check_account(call)
    if intent["status"] == "succeeded":
        raise unexpected_state(
            "You cannot confirm this PaymentIntent because it has already succeeded after being "
            "previously confirmed.",
            intent,
        )
    if intent["status"] in ("canceled", "processing", "requires_capture"):
        raise unexpected_state(
            f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}.",
            intent,
        )
    intent_checks.check_return_url(call, intent)
    method = intent_checks.named_method(call)
    if method is None:
        if intent["payment_method"] is None:
            raise intent_checks.method_missing(intent)
        method = call.load("payment_method", intent["payment_method"], "payment_method")
    bodies.set_options(intent, call.params)
    return charging.attempt(call, intent, method)


def capture(call: Call) -> Body:
    """`POST /v1/payment_intents/{id}/capture` of a manual one; what is not taken is released."""
    intent = load(call)
    if intent["status"] != "requires_capture":
        raise unexpected_state(
            "This PaymentIntent could not be captured because it has a status of "
            f"{intent['status']}. Only a PaymentIntent with one of the following statuses may be "
            "captured: requires_capture.",
            intent,
        )
    amount: int = call.params.get("amount_to_capture") or intent["amount_capturable"]
    if amount > intent["amount_capturable"]:
        raise StripeError(
            400,
            "The payment could not be captured because the requested capture amount is greater "
            "than the amount you can capture for this charge.",
            param="amount_to_capture",
            code="amount_too_large",
        )
    charge = call.load("charge", intent["latest_charge"], "charge")
    timers.cancel(call, "authorization.expire", intent["id"])
    captures.take_money(call, charge, amount)
    captures.expect_trouble(call, charge)
    intent |= {"status": "succeeded", "amount_capturable": 0, "amount_received": amount}
    call.store.update(charge)
    call.store.update(intent)
    call.emit("charge.captured", charge)
    call.emit("payment_intent.succeeded", intent)
    return intent


def cancel(call: Call) -> Body:
    """`POST /v1/payment_intents/{id}/cancel`; an authorization is released."""
    intent = load(call)
    if intent["status"] not in CANCELABLE:
        raise unexpected_state(
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}."
            f" Only a PaymentIntent with one of the following statuses may be canceled: "
            f"{', '.join(CANCELABLE)}.",
            intent,
        )
    timers.cancel(call, "authorization.expire", intent["id"])
    if intent["status"] == "requires_capture":
        charge = call.load("charge", intent["latest_charge"], "charge")
        charge |= {"refunded": True, "amount_refunded": charge["amount"]}
        call.store.update(charge)
    intent |= {
        "status": "canceled",
        "canceled_at": call.now,
        "cancellation_reason": call.params.get("cancellation_reason"),
        "amount_capturable": 0,
        "next_action": None,
    }
    call.store.update(intent)
    call.emit("payment_intent.canceled", intent)
    return intent


@timers.on("authorization.expire")
def _expire(call: Call) -> None:
    """An authorization that was not captured in time is given back to the card."""
    intent = load(call)
    if intent["status"] != "requires_capture":
        return
    call.params["cancellation_reason"] = "automatic"
    cancel(call)
    call.emit("charge.expired", call.load("charge", intent["latest_charge"], "charge"))


def search(call: Call) -> Body:
    """`GET .../search`: `metadata['key']:'value'`, status and currency, joined by AND."""
    query = call.params["query"]
    tags, fields = {}, {}
    for clause in re.split(r"\s+AND\s+", query.strip(), flags=re.IGNORECASE):
        match = _CLAUSE.fullmatch(clause)
        if match is None or (match["field"] and match["field"] not in _SEARCHABLE):
            raise invalid_parameter(
                "We were unable to parse your search query. The sandbox knows "
                "metadata['key']:'value', status:'...' and currency:'...', joined by AND.",
                "query",
            )
        if match["name"]:
            tags[f"metadata.{match['name']}"] = match["value"]
        else:
            fields[match["field"]] = match["value"]
    return lists.search_page(call, "payment_intent", "/v1/payment_intents/search", tags, fields)


def complete_authentication(call: Call, *, succeeded: bool) -> Body:
    """Let the donor pass or fail 3-D Secure (control API)."""
    intent = load(call)
    if intent["status"] != "requires_action":
        raise unexpected_state(f"The status is {intent['status']}.", intent)
    method = call.load("payment_method", intent["payment_method"], "payment_method")
    if succeeded:
        charging.decide(call, intent, method)
    else:
        charging.decline(call, intent, method, AUTHENTICATION_FAILED)
    return intent
