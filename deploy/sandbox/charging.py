"""Tries a card for a payment intent: the charge and the events that tell of it."""

from deploy.sandbox import balance, bodies, captures, debiting, instruments, timers
from deploy.sandbox.calls import Answer, Call, declined
from deploy.sandbox.debits import Debit
from deploy.sandbox.declines import AUTHENTICATION_FAILED, AUTHENTICATION_REQUIRED, Decline
from deploy.sandbox.errors import StripeError, invalid_parameter
from deploy.sandbox.instruments import Instrument
from deploy.sandbox.store import Body

AUTHORIZATION_S = 7 * balance.DAY_S


def use_payment_method(call: Call, name: str) -> Body:
    """Return the method that a parameter names; a test name makes a new one.

    Raises StripeError (400) for names that this account does not have.
    """
    instrument = instruments.BY_NAME.get(name)
    if instrument is not None:
        return new_method(call, instrument)
    found = call.store.get(call.account, "payment_method", name)
    if found is None:
        raise invalid_parameter(
            f"No such PaymentMethod: '{name[:100]}'", "payment_method", "resource_missing"
        )
    return found


def retrieve_method(call: Call) -> Body:
    """Show a payment method; under a test name, one of that kind."""
    name = call.ids[0]
    if name in instruments.BY_NAME:
        return bodies.payment_method(instruments.BY_NAME[name], call.now)
    return call.load("payment_method", name, "payment_method")


def new_method(call: Call, instrument: Instrument) -> Body:
    """Store a payment method for a test instrument."""
    method = bodies.payment_method(instrument, call.now)
    call.store.insert(call.account, method)
    return method


def attempt(call: Call, intent: Body, method: Body) -> Body | Answer:
    """Try to pay; changes and stores the intent; returns it, or the decline's answer (402)."""
    card = instruments.of_method(method)
    if card.method not in intent["payment_method_types"]:
        raise invalid_parameter(
            f"The PaymentMethod provided ({card.method}) is not allowed for this PaymentIntent. "
            "Please attach a PaymentMethod of one of the following types: "
            f"{', '.join(intent['payment_method_types'])}. Alternatively update the allowed "
            f'payment_method_types for this PaymentIntent to include "{card.method}".',
            "payment_method",
        )
    intent["payment_method"] = method["id"]
    intent["next_action"] = None
    if isinstance(card, Debit):
        debiting.check(intent, card)
        debiting.begin(call, intent, card)
        return intent
    if _asks(call, card, intent):
        if call.params.get("off_session"):
            return decline(call, intent, method, AUTHENTICATION_REQUIRED)
        if call.params.get("error_on_requires_action"):
            return decline(call, intent, method, AUTHENTICATION_REQUIRED)
        ask_for_authentication(call, intent)
        return intent
    return decide(call, intent, method)


def decide(call: Call, intent: Body, method: Body) -> Body | Answer:
    """Let the issuer answer after any 3-D Secure; returns the intent or the decline's answer."""
    card = instruments.of_method(method)
    if card.decline is not None:
        return decline(call, intent, method, card.decline)
    succeed(call, intent, card)
    return intent


def _asks(call: Call, card: Instrument, intent: Body) -> bool:
    if card.authentication == "on_session":
        return not call.params.get("off_session")
    if card.authentication == "optional":
        wanted = intent["payment_method_options"]["card"]["request_three_d_secure"]
        return bool(wanted != "automatic")
    return card.authentication == "always"


def ask_for_authentication(call: Call, intent: Body) -> None:
    """Leave the intent in `requires_action` until the control API completes 3-D Secure."""
    intent["status"] = "requires_action"
    url = f"{call.world.base_url}/_sandbox/payment_intents/{intent['id']}/authentication"
    return_url = call.params.get("return_url")
    if return_url:
        intent["next_action"] = {
            "redirect_to_url": {"return_url": return_url, "url": url},
            "type": "redirect_to_url",
        }
    else:
        intent["next_action"] = {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"stripe_js": url, "type": "three_d_secure_redirect"},
        }
    call.store.update(intent)
    call.emit("payment_intent.requires_action", intent)


def succeed(call: Call, intent: Body, card: Instrument) -> None:
    """Authorize, and unless capture is manual take the money; stores intent and charge."""
    charge = bodies.charge(intent, card, intent["payment_method"], call.now)
    charge |= {"status": "succeeded", "paid": True, "outcome": bodies.outcome(card, None)}
    intent |= {"latest_charge": charge["id"], "last_payment_error": None, "next_action": None}
    if intent["capture_method"] == "manual":
        intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        used = charge["payment_method_details"]["card"]
        used["capture_before"] = call.now + AUTHORIZATION_S
        captures.insert_charge(call, charge)
        call.store.update(intent)
        timers.start(call, "authorization.expire", intent["id"], call.now + AUTHORIZATION_S)
        call.emit("charge.succeeded", charge)
        call.emit("payment_intent.amount_capturable_updated", intent)
        return
    captures.take_money(call, charge, intent["amount"])
    captures.expect_trouble(call, charge)
    intent |= {"status": "succeeded", "amount_received": intent["amount"]}
    captures.insert_charge(call, charge)
    call.store.update(intent)
    call.emit("charge.succeeded", charge)
    call.emit("payment_intent.succeeded", intent)


def decline(call: Call, intent: Body, method: Body, reason: Decline) -> Answer:
    """Record a failed charge and send the intent back to `requires_payment_method`."""
    card = instruments.of_method(method)
    charge = None
    if reason is not AUTHENTICATION_FAILED:
        charge = bodies.charge(intent, card, method["id"], call.now)
        charge |= {
            "status": "failed",
            "failure_code": reason.code,
            "failure_message": reason.message,
            "outcome": bodies.outcome(card, reason),
        }
        intent["latest_charge"] = charge["id"]
    problem: Body = {
        "code": reason.code,
        "doc_url": f"https://stripe.com/docs/error-codes/{reason.code.replace('_', '-')}",
        "message": reason.message,
        "payment_method": method,
        "type": "card_error" if charge else "invalid_request_error",
    }
    if charge:
        problem |= {"charge": charge["id"], "decline_code": reason.decline_code}
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
        "last_payment_error": problem,
    }
    call.store.update(intent)
    if charge:
        captures.insert_charge(call, charge)
        call.emit("charge.failed", charge)
    call.emit("payment_intent.payment_failed", intent)
    error = StripeError(
        402,
        reason.message,
        error_type="card_error",
        code=reason.code,
        decline_code=reason.decline_code or None,
        charge=intent["latest_charge"],
        payment_method=method,
        payment_intent=intent,
    )
    return declined(error, call.request_id)
