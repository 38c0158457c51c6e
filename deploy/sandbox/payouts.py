"""Payouts to the bank: how each is made and how it ends (docs.stripe.com/payouts).

pending -> in_transit -> paid, by the clock; canceled only while pending. A payout may fail even
after it was paid, within five business days, and then its money comes back in a balance transaction
of its own, and its bank account gets no automatic payouts until it is verified again.
"""

from datetime import UTC, datetime

from deploy.sandbox import balance, external_accounts, timers
from deploy.sandbox.calls import Call
from deploy.sandbox.errors import StripeError, invalid_parameter
from deploy.sandbox.faults import OBJECT
from deploy.sandbox.identifiers import new_id, random_text
from deploy.sandbox.metadata import merged
from deploy.sandbox.money import AMOUNT_MAX, CURRENCIES, check_currency
from deploy.sandbox.store import Body

ARRIVAL_BUSINESS_DAYS = 2
FAILURE_BUSINESS_DAYS = 5
SUBMIT, ARRIVE, RETURN = "payout.submit", "payout.arrive", "payout.return"
_BEFORE = {
    "in_transit": ("pending",),
    "paid": ("pending", "in_transit"),
    "failed": ("pending", "in_transit", "paid"),
}


def create(call: Call) -> Body:
    """`POST /v1/payouts`: a manual payout of available money."""
    params = call.params
    currency = check_currency(params["currency"])
    amount = params["amount"]
    account = balance.account_of(call, call.account)
    if not account["payouts_enabled"]:
        raise StripeError(400, "Payouts are disabled for this account.", code="payouts_not_allowed")
    if amount > AMOUNT_MAX:
        raise invalid_parameter("Amount is too large.", "amount", "amount_too_large")
    multiple = CURRENCIES[currency].payout_multiple
    if amount % multiple:
        raise invalid_parameter(
            f"Payouts in {currency} must be a multiple of {multiple}.", "amount"
        )
    bank = _destination(call, account, currency)
    available, _ = balance.sums(call).get(currency, (0, 0))
    if amount > available:
        raise StripeError(
            400,
            "You have insufficient funds in your Stripe account for this transfer. Use the "
            "/v1/balance endpoint to view your Stripe balance.",
            code="balance_insufficient",
            param="amount",
        )
    return make(call, amount, currency, bank, automatic=False)


def _destination(call: Call, account: Body, currency: str) -> Body | None:
    if "destination" in call.params:
        named = external_accounts.find(account, call.params["destination"])
        if named["currency"] == currency:
            return named
    else:
        bank = external_accounts.default_of(account, currency)
        if bank is not None or not call.connected:
            return bank
    raise invalid_parameter(
        f"Sorry, you don't have any external accounts in that currency ({currency}).",
        "destination",
    )


def make(call: Call, amount: int, currency: str, bank: Body | None, *, automatic: bool) -> Body:
    """Take money off the balance and send it on its way; returns the payout."""
    payout_id = new_id("po")
    arrival = add_business_days(call.now, ARRIVAL_BUSINESS_DAYS)
    body = _body(call, payout_id, amount, currency, arrival, automatic)
    body["destination"] = None if bank is None else bank["id"]
    body["balance_transaction"] = _move(call, payout_id, "payout", -amount, currency)
    call.store.insert(call.account, body)
    call.emit("payout.created", body)
    timers.start(call, SUBMIT, payout_id, balance.next_midnight(call.now))
    timers.start(call, ARRIVE, payout_id, arrival)
    return body


def _body(
    call: Call, payout_id: str, amount: int, currency: str, arrival: int, automatic: bool
) -> Body:
    params = call.params
    return {
        "id": payout_id,
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": arrival,
        "automatic": automatic,
        "balance_transaction": None,
        "created": call.now,
        "currency": currency,
        "description": "STRIPE PAYOUT" if automatic else params.get("description"),
        "destination": None,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": params.get("metadata", {}),
        "method": params.get("method", "standard"),
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress" if automatic else "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": params.get("statement_descriptor"),
        "status": "pending",
        "trace_id": None,
        "type": "bank_account",
    }


def _move(
    call: Call, payout_id: str, kind: str, amount: int, currency: str, category: str | None = None
) -> str:
    transaction = balance.move(
        call,
        call.account,
        kind,
        payout_id,
        amount,
        currency,
        available_on=call.now,
        description="STRIPE PAYOUT",
        reporting_category=category,
    )
    return str(transaction["id"])


def add_business_days(moment: int, days: int) -> int:
    """Return the midnight (UTC) that many business days after the day of a moment."""
    midnight = moment - moment % balance.DAY_S
    while days:
        midnight += balance.DAY_S
        days -= datetime.fromtimestamp(midnight, UTC).weekday() < 5
    return midnight


@timers.on(SUBMIT)
def submit(call: Call) -> None:
    """Hand a payout that still waits to the bank."""
    if load(call)["status"] == "pending":
        advance(call, "in_transit")


@timers.on(ARRIVE)
def arrive(call: Call) -> None:
    """End a payout as its bank account's number says: paid, or failed."""
    payout = load(call)
    if payout["status"] not in _BEFORE["paid"]:
        return
    failure = call.store.setting(f"bank_failure:{payout['destination']}")
    if failure is None:
        advance(call, "paid")
    else:
        advance(call, "failed", failure)


def advance(call: Call, status: str, failure_code: str = "account_closed") -> Body:
    """Move a payout on as the bank would: in_transit, paid or failed (also by control API)."""
    payout = load(call)
    allowed = _BEFORE[status]
    if payout["status"] not in allowed:
        raise StripeError(400, f"A payout that is {payout['status']} cannot become {status}.")
    if status == "failed":
        _fail(call, payout, failure_code)
    elif status == "paid":
        _pay(call, payout)
    else:
        payout |= {"status": status, "trace_id": {"status": "pending", "value": None}}
        call.store.update(payout)
        call.emit("payout.updated", payout)
    return payout


def _pay(call: Call, payout: Body) -> None:
    trace = {"status": "supported", "value": random_text(16).upper()}
    payout |= {"status": "paid", "trace_id": trace, "arrival_date": call.now}
    reconciled = payout["reconciliation_status"] == "in_progress"
    if reconciled:
        payout["reconciliation_status"] = "completed"
    call.store.update(payout)
    call.emit("payout.paid", payout)
    call.emit("payout.updated", payout)
    if reconciled:
        call.emit("payout.reconciliation_completed", payout)
    if call.world.faults.take(OBJECT, "payout"):
        timers.start(call, RETURN, payout["id"], call.now + balance.DAY_S)


@timers.on(RETURN)
def give_back(call: Call) -> None:
    """Let a payout that was paid fail after all, because a fault wants it."""
    if load(call)["status"] == "paid":
        advance(call, "failed")


def _fail(call: Call, payout: Body, code: str) -> None:
    last = add_business_days(payout["arrival_date"], FAILURE_BUSINESS_DAYS) + balance.DAY_S
    if payout["status"] == "paid" and call.now >= last:
        raise StripeError(
            400, f"A payout fails within {FAILURE_BUSINESS_DAYS} business days or not at all."
        )
    message = external_accounts.FAILURES.get(code)
    if message is None:
        raise ValueError(f"failure_code must be one of {', '.join(external_accounts.FAILURES)}")
    payout |= {"status": "failed", "failure_code": code, "failure_message": message}
    _bring_back(call, payout, "payout_failure")
    call.store.update(payout)
    call.emit("payout.failed", payout)
    account = balance.account_of(call, call.account)
    banks = {bank["id"] for bank in account["external_accounts"]["data"]}
    if payout["destination"] in banks:
        external_accounts.set_status(call, call.account, payout["destination"], "errored")


def load(call: Call) -> Body:
    """`GET /v1/payouts/{id}`."""
    return call.load("payout", call.ids[0], "payout")


def update(call: Call) -> Body:
    """`POST /v1/payouts/{id}`: its metadata."""
    payout = load(call)
    payout["metadata"] = merged(payout["metadata"], call.params.get("metadata"))
    call.store.update(payout)
    call.emit("payout.updated", payout)
    return payout


def cancel(call: Call) -> Body:
    """`POST /v1/payouts/{id}/cancel`, of a pending manual payout."""
    payout = load(call)
    if payout["status"] != "pending" or payout["automatic"]:
        raise StripeError(
            400,
            "Payouts can only be canceled while they are pending, and automatic payouts never.",
        )
    payout["status"] = "canceled"
    _bring_back(call, payout, "payout_cancel")
    call.store.update(payout)
    for kind in (SUBMIT, ARRIVE):
        timers.cancel(call, kind, payout["id"])
    call.emit("payout.canceled", payout)
    return payout


def _bring_back(call: Call, payout: Body, kind: str) -> None:
    payout["failure_balance_transaction"] = _move(
        call, payout["id"], kind, payout["amount"], payout["currency"]
    )


def reverse(call: Call) -> Body:
    """`POST /v1/payouts/{id}/reverse`: a debit of a bank account in the US for a paid payout."""
    payout = load(call)
    account = balance.account_of(call, call.account)
    banks = {bank["id"]: bank for bank in account["external_accounts"]["data"]}
    country = banks.get(payout["destination"], {}).get("country")
    if payout["status"] != "paid" or country != "US" or payout["reversed_by"] is not None:
        raise StripeError(
            400, "Only paid payouts of connected accounts to US banks can be reversed, once."
        )
    amount, currency = payout["amount"], payout["currency"]
    reversal_id = new_id("po")
    arrival = add_business_days(call.now, ARRIVAL_BUSINESS_DAYS)
    body = _body(call, reversal_id, -amount, currency, arrival, automatic=False)
    body |= {"destination": payout["destination"], "original_payout": payout["id"]}
    body["balance_transaction"] = _move(
        call, reversal_id, "payout", amount, currency, "payout_reversal"
    )
    payout["reversed_by"] = reversal_id
    call.store.update(payout)
    call.store.insert(call.account, body)
    call.emit("payout.created", body)
    timers.start(call, ARRIVE, reversal_id, arrival)
    return body
