"""How refunds go on after they were made: they take their money, wait for it, succeed, fail.

pending -> requires_action -> succeeded -> failed, or canceled on the way; whatever took money gives
it back when it fails (docs.stripe.com/refunds, failed refunds). What a card's number promises
happens `LATER_S` later on the business clock.
"""

from deploy.sandbox import application_fees, balance, instruments, lists, timers
from deploy.sandbox.calls import Call
from deploy.sandbox.errors import StripeError
from deploy.sandbox.query import Query
from deploy.sandbox.store import Body

LATER_S = 60
ANSWER_S = 45 * balance.DAY_S  # how long a donor has to say where the money shall go
FAILURE_REASONS = (
    "charge_for_pending_refund_disputed",
    "declined",
    "expired_or_canceled_card",
    "insufficient_funds",
    "lost_or_stolen_card",
    "merchant_request",
    "unknown",
)
_NEXT = {
    "pending": ("requires_action", "succeeded", "failed", "canceled"),
    "requires_action": ("pending", "succeeded", "failed", "canceled"),
    "succeeded": ("failed",),
}


def funded(call: Call, charge: Body, amount: int) -> bool:
    """Say whether a refund can be made now.

    An account whose bank is debited for what is missing may go below zero; of another one all
    money, pending money too, must cover the refund.
    """
    account = balance.account_of(call, call.account)
    if account["settings"]["payouts"]["debit_negative_balances"]:
        return True
    settlement = balance.settlement_of(account, charge["currency"])
    available, pending = balance.sums(call).get(settlement, (0, 0))
    return call.world.convert(amount, charge["currency"], settlement)[0] <= available + pending


def wait_for_money(call: Call, refund: Body, *, application_fee: bool) -> None:
    """Leave a refund pending until the account has the money for it."""
    refund |= {"status": "pending", "pending_reason": "insufficient_funds"}
    if application_fee:
        call.store.set_setting(f"refund_application_fee:{refund['id']}", "true")
    timers.wait(call, balance.MONEY_CAME, refund["id"])


def take(
    call: Call, charge: Body, refund: Body, *, application_fee: bool = False, fee: int = 0
) -> None:
    """Book the refund: at the rate of now, available no earlier than the gift's own money."""
    settlement = balance.settlement_currency(call, call.account, refund["currency"])
    amount, rate = call.world.convert(refund["amount"], refund["currency"], settlement)
    lines = []
    returned = _return_application_fee(call, charge, refund["amount"]) if application_fee else 0
    if returned:
        part = call.world.convert(returned, refund["currency"], settlement)[0]
        lines.append(application_fees.fee_line(call, -part, settlement))
    if fee:
        lines.append(balance.stripe_fee_line(fee, settlement, "Refund fee"))
    gift = call.store.find(charge["balance_transaction"]) if charge["balance_transaction"] else None
    transaction = balance.move(
        call,
        call.account,
        "refund" if "card" in charge["payment_method_details"] else "payment_refund",
        refund["id"],
        -amount,
        settlement,
        available_on=max(call.now, gift[1]["available_on"] if gift else 0),
        description="REFUND FOR CHARGE",
        exchange_rate=rate,
        fee_details=lines,
    )
    refund["balance_transaction"] = transaction["id"]


def _return_application_fee(call: Call, charge: Body, amount: int) -> int:
    """Give the platform's fee back in proportion; returns how much, in the charge's currency."""
    fee = call.store.get(call.world.platform, "application_fee", charge["application_fee"])
    if fee is None:
        raise StripeError(400, "The application fee of this charge has not been collected yet.")
    left: int = fee["amount"] - fee["amount_refunded"]
    part = left if charge["refunded"] else min(left, fee["amount"] * amount // charge["amount"])
    if part:
        application_fees.give_back(call, fee, part, {})
    return part


def begin(call: Call, charge: Body, refund: Body, status: str | None) -> None:
    """Set the first status after the money was taken, and what the payment method does later."""
    behaviour = instruments.of_charge(charge).refund
    if status is None:
        status = "pending" if behaviour == "pending" else "succeeded"
        if behaviour != "succeeds":
            kind = "refund.succeed" if behaviour == "pending" else "refund.fail"
            timers.start(call, kind, refund["id"], call.now + LATER_S)
    set_status(call, refund, status)


def set_status(call: Call, refund: Body, status: str) -> None:
    refund["status"] = status
    refund.pop("pending_reason", None)
    refund.pop("next_action", None)
    if status == "pending":
        refund["pending_reason"] = "processing"
    elif status == "requires_action":
        sent = {"email_sent_at": call.now, "email_sent_to": "donor@example.org"}
        details = {"email_sent": sent, "expires_at": call.now + ANSWER_S}
        refund["next_action"] = {"display_details": details, "type": "display_details"}
    elif status == "succeeded" and "destination_details" in refund:
        refund["destination_details"]["card"]["reference_status"] = "available"


def advance(call: Call, status: str, failure_reason: str) -> Body:
    """Move a refund on as the bank would (control API); raises StripeError (400) if it cannot."""
    refund = call.load("refund", call.ids[0], "refund")
    if failure_reason not in FAILURE_REASONS:
        raise ValueError(f"failure_reason must be one of {', '.join(FAILURE_REASONS)}")
    if status not in _NEXT.get(refund["status"], ()):
        raise StripeError(400, f"A refund that is {refund['status']} cannot become {status}.")
    charge = call.load("charge", refund["charge"], "charge")
    if status in ("failed", "canceled"):
        _give_up(call, charge, refund, status, failure_reason)
    else:
        timers.cancel(call, balance.MONEY_CAME, refund["id"])
        if refund["balance_transaction"] is None:
            take(call, charge, refund, application_fee=_owes_fee(call, refund))
        set_status(call, refund, status)
    tell(call, refund)
    return refund


def _give_up(call: Call, charge: Body, refund: Body, status: str, reason: str) -> None:
    for kind in (balance.MONEY_CAME, "refund.succeed", "refund.fail"):
        timers.cancel(call, kind, refund["id"])
    set_status(call, refund, status)
    if status == "failed":
        refund["failure_reason"] = reason
    if refund["balance_transaction"] is not None:
        taken = call.load("balance_transaction", refund["balance_transaction"], "id")
        transaction = balance.move(
            call,
            call.account,
            "refund_failure",
            refund["id"],
            -taken["amount"],
            taken["currency"],
            available_on=call.now,
            description="REFUND FAILURE",
            exchange_rate=taken["exchange_rate"],
        )
        refund["failure_balance_transaction"] = transaction["id"]
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    call.store.update(charge)


def tell(call: Call, refund: Body) -> None:
    call.store.update(refund)
    call.emit("refund.updated", refund)
    call.emit("charge.refund.updated", refund)
    if refund["status"] == "failed":
        call.emit("refund.failed", refund)


@timers.on("refund.succeed")
def _succeed_later(call: Call) -> None:
    advance(call, "succeeded", "unknown")


@timers.on("refund.fail")
def _fail_later(call: Call) -> None:
    advance(call, "failed", "expired_or_canceled_card")


@timers.on(balance.MONEY_CAME)
def _fund(call: Call) -> None:
    """Take the money of a refund that waited for it, if it is enough now."""
    refund = call.load("refund", call.ids[0], "refund")
    charge = call.load("charge", refund["charge"], "charge")
    if not funded(call, charge, refund["amount"]):
        timers.wait(call, balance.MONEY_CAME, refund["id"])
        return
    take(call, charge, refund, application_fee=_owes_fee(call, refund))
    begin(call, charge, refund, None)
    tell(call, refund)


def _owes_fee(call: Call, refund: Body) -> bool:
    return call.store.setting(f"refund_application_fee:{refund['id']}") is not None


def end_of_charge(call: Call, charge: Body) -> None:
    """Go on with, or give up, what was refunded before the charge was decided."""
    if not charge["amount_refunded"]:
        return
    for refund in _refunds(call, charge):
        if refund.get("pending_reason") != "charge_pending":
            continue
        if charge["status"] == "succeeded":
            refund["pending_reason"] = "insufficient_funds"
            call.store.update(refund)
            timers.start(call, balance.MONEY_CAME, refund["id"], call.now)
        else:
            _give_up(call, charge, refund, "failed", "unknown")
            tell(call, refund)


def end_for_dispute(call: Call, charge: Body) -> None:
    """Give up refunds that wait for money: the bank has taken it meanwhile."""
    for refund in _refunds(call, charge):
        if refund["status"] == "pending" and refund["balance_transaction"] is None:
            _give_up(call, charge, refund, "failed", "charge_for_pending_refund_disputed")
            tell(call, refund)


def _refunds(call: Call, charge: Body) -> list[Body]:
    query = Query(call, "refund")
    query.tag("charge", charge["id"])
    return [body for _, body in query.fetch(lists.LIMIT_MAX)]
