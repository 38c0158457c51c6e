"""Tries a card for a payment intent: the charge, its money, and the events that tell of it."""

import time

from deploy.sandbox import balance, bodies
from deploy.sandbox.calls import Answer, Call, declined
from deploy.sandbox.cards import (
    AUTHENTICATION_FAILED,
    AUTHENTICATION_REQUIRED,
    CARD_OF_LAST4,
    CARDS,
    Card,
    Decline,
)
from deploy.sandbox.errors import StripeError, invalid_parameter
from deploy.sandbox.identifiers import new_id
from deploy.sandbox.money import convert, processing_fee
from deploy.sandbox.store import Body

AUTHORIZATION_S = 7 * balance.DAY_S


def use_payment_method(call: Call, name: str) -> Body:
    """Return the method that a parameter names; a test name makes a new one.

    Raises StripeError (400) for names that this account does not have.
    """
    card = CARDS.get(name)
    if card is not None:
        method = bodies.payment_method(card, call.now)
        call.store.insert(call.account, method)
        return method
    found = call.store.get(call.account, "payment_method", name)
    if found is None:
        raise invalid_parameter(
            f"No such PaymentMethod: '{name[:100]}'", "payment_method", "resource_missing"
        )
    return found


def card_of(method: Body) -> Card:
    """Return the test card behind a payment method."""
    return CARD_OF_LAST4[method["card"]["last4"]]


def attempt(call: Call, intent: Body, method: Body) -> Body | Answer:
    """Try to pay; changes and stores the intent; returns it, or the decline's answer (402)."""
    card = card_of(method)
    intent["payment_method"] = method["id"]
    intent["next_action"] = None
    if card.asks_authentication:
        if call.params.get("off_session"):
            return decline(call, intent, method, AUTHENTICATION_REQUIRED)
        if call.params.get("error_on_requires_action"):
            return decline(call, intent, method, AUTHENTICATION_REQUIRED)
        ask_for_authentication(call, intent)
        return intent
    if card.decline is not None:
        return decline(call, intent, method, card.decline)
    succeed(call, intent, card)
    return intent


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


def succeed(call: Call, intent: Body, card: Card) -> None:
    """Authorize, and unless capture is manual take the money; stores intent and charge."""
    charge = bodies.charge(intent, card, intent["payment_method"], call.now)
    charge |= {"status": "succeeded", "paid": True, "outcome": bodies.outcome(card)}
    intent |= {"latest_charge": charge["id"], "last_payment_error": None, "next_action": None}
    if intent["capture_method"] == "manual":
        intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        used = charge["payment_method_details"]["card"]
        used["capture_before"] = call.now + AUTHORIZATION_S
        insert_charge(call, charge)
        call.store.update(intent)
        call.emit("charge.succeeded", charge)
        call.emit("payment_intent.amount_capturable_updated", intent)
        return
    take_money(call, charge, intent["amount"])
    intent |= {"status": "succeeded", "amount_received": intent["amount"]}
    insert_charge(call, charge)
    call.store.update(intent)
    call.emit("charge.succeeded", charge)
    call.emit("payment_intent.succeeded", intent)


def insert_charge(call: Call, charge: Body) -> None:
    """Store a new charge where lists by payment intent find it."""
    call.store.insert(call.account, charge, {"payment_intent": charge["payment_intent"]})


def take_money(call: Call, charge: Body, amount: int) -> None:
    """Capture `amount` of a charge; its balance transaction comes now, or later if so switched."""
    charge |= {"captured": True, "amount_captured": amount}
    if amount < charge["amount"]:
        charge["amount_refunded"] = charge["amount"] - amount
    if charge["application_fee_amount"]:
        charge["application_fee"] = new_id("fee")
    late = call.world.late
    if not late.enabled:
        post_transaction(call, charge)
        return
    due = None if late.delay_s is None else time.time() + late.delay_s
    call.store.database.execute(
        "INSERT INTO late_transactions VALUES (?, ?, ?)", (charge["id"], call.account, due)
    )
    if due is not None:
        call.late_charges.append((charge["id"], due))


def post_transaction(call: Call, charge: Body) -> None:
    """Book a captured charge: its balance transaction, and the platform's fee if there is one."""
    account = balance.account_of(call, call.account)
    settlement = account["default_currency"]
    amount, rate = convert(charge["amount_captured"], charge["currency"], settlement)
    fees = []
    application_fee = charge["application_fee_amount"]
    if application_fee:
        fees.append(
            {
                "amount": convert(application_fee, charge["currency"], settlement)[0],
                "application": call.world.application,
                "currency": settlement,
                "description": "Sandbox application fee",
                "type": "application_fee",
            }
        )
        _book_application_fee(call, charge)
    fees.append(
        {
            "amount": processing_fee(amount, settlement),
            "application": None,
            "currency": settlement,
            "description": "Stripe processing fees",
            "type": "stripe_fee",
        }
    )
    card = CARD_OF_LAST4[charge["payment_method_details"]["card"]["last4"]]
    delay_s = account["settings"]["payouts"]["schedule"]["delay_days"] * balance.DAY_S
    midnight = call.now - call.now % balance.DAY_S
    transaction = balance.move(
        call,
        call.account,
        "charge",
        charge["id"],
        amount,
        settlement,
        available_on=call.now if card.available_at_once else midnight + delay_s,
        description=charge["description"],
        exchange_rate=rate,
        fee_details=fees,
    )
    charge["balance_transaction"] = transaction["id"]


def _book_application_fee(call: Call, charge: Body) -> None:
    platform = call.world.platform
    settlement = balance.settlement_currency(call, platform)
    amount, rate = convert(charge["application_fee_amount"], charge["currency"], settlement)
    transaction = balance.move(
        call,
        platform,
        "application_fee",
        charge["application_fee"],
        amount,
        settlement,
        available_on=call.now,
        exchange_rate=rate,
    )
    fee: Body = {
        "id": charge["application_fee"],
        "object": "application_fee",
        "account": call.account,
        "amount": charge["application_fee_amount"],
        "amount_refunded": 0,
        "application": call.world.application,
        "balance_transaction": transaction["id"],
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "fee_source": {"charge": charge["id"], "type": "charge"},
        "livemode": False,
        "originating_transaction": None,
        "refunded": False,
        "refunds": {
            "data": [],
            "has_more": False,
            "object": "list",
            "url": f"/v1/application_fees/{charge['application_fee']}/refunds",
        },
    }
    call.store.insert(platform, fee, {"charge": charge["id"]})
    call.emit("application_fee.created", fee, account=platform)


def decline(call: Call, intent: Body, method: Body, reason: Decline) -> Answer:
    """Record a failed charge and send the intent back to `requires_payment_method`."""
    card = card_of(method)
    charge = None
    if reason is not AUTHENTICATION_FAILED:
        charge = bodies.charge(intent, card, method["id"], call.now)
        charge |= {
            "status": "failed",
            "failure_code": reason.code,
            "failure_message": reason.message,
            "outcome": bodies.outcome(Card(card.last4, card.brand, decline=reason)),
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
        insert_charge(call, charge)
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
