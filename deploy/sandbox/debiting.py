"""Debits of bank accounts: `processing` for days, then settled or failed by the payer's bank.

As Stripe books them: a pending `payment` transaction when the payment is made, and a
`payment_failure_refund` that undoes it with its fees if the bank says no
(docs.stripe.com/reports/balance-transaction-types).
"""

from deploy.sandbox import (
    application_fees,
    balance,
    bodies,
    captures,
    instruments,
    refund_states,
    timers,
)
from deploy.sandbox.calls import Call
from deploy.sandbox.debits import TERMS, Debit
from deploy.sandbox.declines import Decline
from deploy.sandbox.errors import invalid_parameter
from deploy.sandbox.store import Body


def check(intent: Body, debit: Debit) -> None:
    """Raise StripeError (400) for a currency or a capture that debits do not know."""
    currency = TERMS[debit.method].currency
    if intent["currency"] != currency:
        raise invalid_parameter(
            f"The currency provided ({intent['currency']}) is invalid. Payments with "
            f"{debit.method} support the following currencies: {currency}.",
            "currency",
        )
    if intent["capture_method"] == "manual":
        raise invalid_parameter(
            f"The payment method type {debit.method} does not support manual capture.",
            "capture_method",
        )


def begin(call: Call, intent: Body, debit: Debit) -> None:
    """Send the debit to the bank; stores the intent and its pending charge."""
    charge = bodies.charge(intent, debit, intent["payment_method"], call.now)
    charge |= {"outcome": bodies.outcome(debit, None)}
    captures.take_money(call, charge, intent["amount"])
    intent |= {"status": "processing", "latest_charge": charge["id"], "last_payment_error": None}
    captures.insert_charge(call, charge)
    call.store.update(intent)
    timers.start(call, "debit.answer", charge["id"], call.now + debit.answer_after_s)
    call.emit("charge.pending", charge)
    call.emit("payment_intent.processing", intent)


@timers.on("debit.answer")
def _answer(call: Call) -> None:
    charge = call.load("charge", call.ids[0], "charge")
    intent = call.load("payment_intent", charge["payment_intent"], "intent")
    debit = instruments.of_charge(charge)
    if debit.decline is None:
        _settle(call, intent, charge)
    else:
        _fail(call, intent, charge, debit.decline)
    refund_states.end_of_charge(call, charge)


def _settle(call: Call, intent: Body, charge: Body) -> None:
    charge |= {"status": "succeeded", "paid": True}
    intent |= {"status": "succeeded", "amount_received": intent["amount"]}
    captures.expect_trouble(call, charge)
    call.store.update(charge)
    call.store.update(intent)
    call.emit("charge.succeeded", charge)
    call.emit("payment_intent.succeeded", intent)


def _fail(call: Call, intent: Body, charge: Body, reason: Decline) -> None:
    charge |= {
        "status": "failed",
        "captured": False,
        "amount_captured": 0,
        "failure_code": reason.code,
        "failure_message": reason.message,
        "outcome": bodies.outcome(instruments.of_charge(charge), reason),
    }
    if charge["balance_transaction"] is not None:
        _undo(call, charge)
    method = call.load("payment_method", charge["payment_method"], "payment_method")
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "last_payment_error": {
            "charge": charge["id"],
            "code": reason.code,
            "doc_url": f"https://stripe.com/docs/error-codes/{reason.code.replace('_', '-')}",
            "message": reason.message,
            "payment_method": method,
            "type": "card_error",
        },
    }
    call.store.database.execute("DELETE FROM late_transactions WHERE charge = ?", (charge["id"],))
    call.store.update(charge)
    call.store.update(intent)
    call.emit("charge.failed", charge)
    call.emit("payment_intent.payment_failed", intent)


def _undo(call: Call, charge: Body) -> None:
    booked = call.load("balance_transaction", charge["balance_transaction"], "id")
    transaction = balance.move(
        call,
        call.account,
        "payment_failure_refund",
        charge["id"],
        -booked["amount"],
        booked["currency"],
        available_on=max(call.now, booked["available_on"]),
        description="PAYMENT FAILURE REFUND",
        exchange_rate=booked["exchange_rate"],
        fee_details=[line | {"amount": -line["amount"]} for line in booked["fee_details"]],
    )
    charge["failure_balance_transaction"] = transaction["id"]
    if charge["application_fee"]:
        fee = call.store.get(call.world.platform, "application_fee", charge["application_fee"])
        if fee is not None and not fee["refunded"]:
            application_fees.give_back(call, fee, fee["amount"] - fee["amount_refunded"], {})
