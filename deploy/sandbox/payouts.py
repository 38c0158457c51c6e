"""Payouts to the bank: manual ones by API, automatic ones (itemised) when the control API says so.

pending -> in_transit -> paid; a payout may fail even after it was paid, and then its money comes
back in a `payout_failure` balance transaction (docs.stripe.com/payouts).
"""

from deploy.sandbox import balance
from deploy.sandbox.calls import Call
from deploy.sandbox.errors import StripeError, invalid_parameter
from deploy.sandbox.identifiers import new_id
from deploy.sandbox.money import AMOUNT_MAX, CURRENCIES, check_currency
from deploy.sandbox.store import Body

ARRIVAL_S = 2 * balance.DAY_S

FAILURES = {
    "account_closed": "The bank account has been closed.",
    "could_not_process": "The bank could not process this payout.",
    "no_account": "The bank account could not be located.",
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
    available, _ = balance.sums(call).get(currency, (0, 0))
    if amount > available:
        raise StripeError(
            400,
            "You have insufficient funds in your Stripe account for this transfer. Use the "
            "/v1/balance endpoint to view your Stripe balance.",
            code="balance_insufficient",
            param="amount",
        )
    return _pay_out(call, amount, currency, automatic=False)


def _pay_out(call: Call, amount: int, currency: str, *, automatic: bool) -> Body:
    payout_id = new_id("po")
    transaction = balance.move(
        call,
        call.account,
        "payout",
        payout_id,
        -amount,
        currency,
        available_on=call.now,
        description="STRIPE PAYOUT",
    )
    body: Body = {
        "id": payout_id,
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": call.now - call.now % balance.DAY_S + ARRIVAL_S,
        "automatic": automatic,
        "balance_transaction": transaction["id"],
        "created": call.now,
        "currency": currency,
        "description": "STRIPE PAYOUT" if automatic else call.params.get("description"),
        "destination": bank_account_id(call.account),
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": call.params.get("metadata", {}),
        "method": call.params.get("method", "standard"),
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress" if automatic else "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": call.params.get("statement_descriptor"),
        "status": "pending",
        "trace_id": None,
        "type": "bank_account",
    }
    call.store.insert(call.account, body)
    call.emit("payout.created", body)
    return body


def bank_account_id(account: str) -> str:
    """Return the id of the one bank account that every sandbox account has."""
    return f"ba_{account.removeprefix('acct_')}"


def pay_out_available(call: Call) -> list[Body]:
    """Make one automatic payout for each currency with money available (control API)."""
    made = []
    for currency, (available, _) in balance.sums(call).items():
        transactions, amount = balance.take_for_payout(call, currency)
        # Movements of earlier payouts cancel out, so what is not paid out yet is the balance.
        if available <= 0 or amount != available:
            continue
        payout = _pay_out(call, amount, currency, automatic=True)
        transactions.append(payout["balance_transaction"])
        balance.assign_to_payout(call, transactions, payout["id"])
        made.append(payout)
    return made


def advance(call: Call, status: str, failure_code: str) -> Body:
    """Move a payout on as the bank would: in_transit, paid or failed (control API)."""
    payout = load(call)
    allowed = {
        "in_transit": ("pending",),
        "paid": ("pending", "in_transit"),
        "failed": ("pending", "in_transit", "paid"),
    }[status]
    if payout["status"] not in allowed:
        raise StripeError(400, f"A payout that is {payout['status']} cannot become {status}.")
    payout["status"] = status
    if status == "failed":
        payout |= {"failure_code": failure_code, "failure_message": FAILURES[failure_code]}
        _bring_back(call, payout, "payout_failure")
    elif status == "paid":
        payout["arrival_date"] = call.now
    reconciled = status == "paid" and payout["reconciliation_status"] == "in_progress"
    if reconciled:
        payout["reconciliation_status"] = "completed"
    call.store.update(payout)
    call.emit("payout.updated" if status == "in_transit" else f"payout.{status}", payout)
    if reconciled:
        call.emit("payout.reconciliation_completed", payout)
    return payout


def load(call: Call) -> Body:
    """`GET /v1/payouts/{id}`."""
    return call.load("payout", call.ids[0], "payout")


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
    call.emit("payout.canceled", payout)
    return payout


def _bring_back(call: Call, payout: Body, kind: str) -> None:
    transaction = balance.move(
        call,
        call.account,
        kind,
        payout["id"],
        payout["amount"],
        payout["currency"],
        available_on=call.now,
        description="STRIPE PAYOUT",
    )
    payout["failure_balance_transaction"] = transaction["id"]
