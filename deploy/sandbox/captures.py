"""Takes a charge's money: its balance transaction with Stripe's and the platform's fees."""

import time

from deploy.sandbox import application_fees, balance, instruments, pricing, timers
from deploy.sandbox.calls import Call
from deploy.sandbox.faults import OBJECT
from deploy.sandbox.identifiers import new_id
from deploy.sandbox.store import Body


def insert_charge(call: Call, charge: Body) -> None:
    """Store a new charge where lists by payment intent find it."""
    call.store.insert(call.account, charge, {"payment_intent": charge["payment_intent"]})


def expect_trouble(call: Call, charge: Body) -> None:
    """Let a charge that succeeded be disputed or reported if its test number says so."""
    instrument = instruments.of_charge(charge)
    if instrument.dispute is not None:
        timers.start(call, "card.dispute", charge["id"], call.now)
    if instrument.fraud_warning:
        timers.start(call, "card.fraud_warning", charge["id"], call.now)


def take_money(call: Call, charge: Body, amount: int) -> None:
    """Capture `amount` of a charge; its balance transaction comes now, or later if so switched."""
    charge |= {"captured": True, "amount_captured": amount}
    if amount < charge["amount"]:
        charge["amount_refunded"] = charge["amount"] - amount
    if charge["application_fee_amount"]:
        charge["application_fee"] = new_id("fee")
    late = call.world.late
    fault = None if late.enabled else call.world.faults.take(OBJECT, "charge")
    if not late.enabled and fault is None:
        post_transaction(call, charge)
        return
    delay_s = late.delay_s if fault is None else fault.seconds
    due = None if delay_s is None else time.time() + delay_s
    call.store.database.execute(
        "INSERT INTO late_transactions VALUES (?, ?, ?)", (charge["id"], call.account, due)
    )
    if due is not None:
        call.late_charges.append((charge["id"], due))


def post_transaction(call: Call, charge: Body) -> None:
    """Book a captured charge: its balance transaction, and the platform's fee if there is one."""
    account = balance.account_of(call, call.account)
    settlement = balance.settlement_of(account, charge["currency"])
    instrument = instruments.of_charge(charge)
    amount, rate = call.world.convert(charge["amount_captured"], charge["currency"], settlement)
    if charge["application_fee_amount"]:
        application_fees.collect(call, charge)
    delay_s = account["settings"]["payouts"]["schedule"]["delay_days"] * balance.DAY_S
    answered = call.now + instrument.answer_after_s
    midnight = answered - answered % balance.DAY_S
    transaction = balance.move(
        call,
        call.account,
        "charge" if instrument.method == "card" else "payment",
        charge["id"],
        amount,
        settlement,
        available_on=call.now if instrument.available_at_once else midnight + delay_s,
        description=charge["description"],
        exchange_rate=rate,
        fee_details=pricing.fee_lines(call, charge, amount, settlement),
    )
    charge["balance_transaction"] = transaction["id"]
