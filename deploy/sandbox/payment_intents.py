"""Payment intents (docs.stripe.com/payments/paymentintents/lifecycle)."""

import re

from deploy.sandbox import balance, bodies, captures, charging, lists
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
    account = _check_account(call)
    params["currency"] = check_currency(params["currency"])
    check_amount(
        params["amount"], params["currency"], account["default_currency"], call.world.rates
    )
    _check_application_fee(call, params["amount"])
    _refuse_card_data(call)
    intent = bodies.payment_intent(
        params, call.now, call.world.application if call.connected else None
    )
    if params.get("confirm"):
        _check_return_url(call, intent)
    method = None
    if "payment_method" in params:
        method = charging.use_payment_method(call, params["payment_method"])
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    elif params.get("confirm"):
        raise _method_missing(intent)
    tags = {f"metadata.{name}": value for name, value in intent["metadata"].items()}
    call.store.insert(call.account, intent, tags)
    call.emit("payment_intent.created", intent)
    if method is not None and params.get("confirm"):
        return charging.attempt(call, intent, method)
    return intent


def _check_account(call: Call) -> Body:
    account = balance.account_of(call, call.account)
    if not account["charges_enabled"]:
        raise StripeError(
            400,
            "This Connect account cannot currently make charges. The "
            "`requirements.disabled_reason` property on the account will provide information "
            "about why this account is currently disabled.",
        )
    return account


def _check_application_fee(call: Call, amount: int) -> None:
    fee = call.params.get("application_fee_amount")
    if fee is None:
        return
    if not call.connected:
        raise invalid_parameter(
            "Can only apply an application_fee_amount when the PaymentIntent is attempting a "
            "direct payment (using an OAuth key or Stripe-Account header) or destination payment "
            "(using `transfer_data[destination]`).",
            "application_fee_amount",
        )
    if fee > amount:
        raise invalid_parameter(
            "Your application fee cannot be greater than the amount of the payment.",
            "application_fee_amount",
        )


def _refuse_card_data(call: Call) -> None:
    if "payment_method_data" in call.params:
        raise invalid_parameter(
            "Sending credit card numbers directly to the Stripe API is generally unsafe. We "
            "suggest you use test tokens that map to the test card you are using, see "
            "https://stripe.com/docs/testing.",
            "payment_method_data",
        )


def _check_return_url(call: Call, intent: Body) -> None:
    methods = intent["automatic_payment_methods"]
    if methods and methods["allow_redirects"] == "always" and "return_url" not in call.params:
        raise invalid_parameter(
            "This PaymentIntent is configured to accept payment methods enabled in your "
            "Dashboard. Because some of these payment methods might redirect your customer off "
            "of your page, you must provide a `return_url`. If you don't want to accept "
            "redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` "
            "and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup "
            "Intents and Payment Intents.",
            "return_url",
        )


def _method_missing(intent: Body) -> StripeError:
    return unexpected_state(
        "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
        "either update the PaymentIntent with a payment method and then confirm it again, or "
        "confirm it again directly with a payment method or ConfirmationToken.",
        intent,
    )


def load(call: Call) -> Body:
    """`GET /v1/payment_intents/{id}`, and the intent of every other call."""
    return call.load("payment_intent", call.ids[0], "intent")


def confirm(call: Call) -> Body | Answer:
    """`POST /v1/payment_intents/{id}/confirm`."""
    intent = load(call)
    _check_account(call)
    _refuse_card_data(call)
    if intent["status"] == "succeeded":
        raise unexpected_state(
            "You cannot confirm this PaymentIntent because it has already succeeded after being "
            "previously confirmed.",
            intent,
        )
    if intent["status"] in ("canceled", "requires_capture"):
        raise unexpected_state(
            f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}.",
            intent,
        )
    _check_return_url(call, intent)
    name = call.params.get("payment_method") or intent["payment_method"]
    if name is None:
        raise _method_missing(intent)
    return charging.attempt(call, intent, charging.use_payment_method(call, name))


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
    captures.take_money(call, charge, amount)
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
