"""Balance transactions, and the balance that is nothing but their sum.

Each movement of money is one balance transaction and one row of `movements`, written together; a
movement is pending until its `available_on` (docs.stripe.com/reports/balance-transaction-types).
"""

from typing import Any

import orjson

from deploy.sandbox import timers
from deploy.sandbox.calls import Call
from deploy.sandbox.errors import StripeError
from deploy.sandbox.identifiers import new_id
from deploy.sandbox.store import Body

DAY_S = 86_400
DAY = "balance.day"

# Kinds that have several categories are given theirs by the caller.
REPORTING_CATEGORIES = {
    "application_fee": "platform_earning",
    "application_fee_refund": "platform_earning_refund",
    "charge": "charge",
    "payment": "charge",
    "payment_failure_refund": "charge_failure",
    "payment_refund": "refund",
    "payout": "payout",
    "payout_cancel": "payout_reversal",
    "payout_failure": "payout_reversal",
    "refund": "refund",
    "refund_failure": "refund_failure",
    "stripe_fee": "fee",
    "tax_fee": "tax",
}
MONEY_CAME = "balance.money_came"


def move(
    call: Call,
    account: str,
    kind: str,
    source: str | None,
    amount: int,
    currency: str,
    *,
    available_on: int,
    description: str | None = None,
    exchange_rate: float | None = None,
    fee_details: list[Body] | None = None,
    reporting_category: str | None = None,
) -> Body:
    """Record one movement in an account's settlement currency and return its transaction.

    `amount` is signed: positive comes in. The fees in `fee_details` are taken off it; a negative
    one comes back. What waits for money of the account (`MONEY_CAME`) is looked at again.
    """
    fees = fee_details or []
    fee = sum(item["amount"] for item in fees)
    body: Body = {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": available_on,
        "balance_type": "payments",
        "created": call.now,
        "currency": currency,
        "description": description,
        "exchange_rate": exchange_rate,
        "fee": fee,
        "fee_details": fees,
        "net": amount - fee,
        "reporting_category": reporting_category or REPORTING_CATEGORIES[kind],
        "source": source,
        "status": "pending",
        "type": kind,
    }
    call.store.insert(account, body, {"type": kind} | ({"source": source} if source else {}))
    call.store.database.execute(
        "INSERT INTO movements VALUES (?, ?, ?, ?, ?, NULL)",
        (body["id"], account, currency, available_on, body["net"]),
    )
    if body["net"] > 0:
        timers.wake(call, account, MONEY_CAME)
    if account != call.world.platform:
        timers.start_once(call, DAY, account, next_midnight(max(call.now, available_on - 1)))
    return with_status(body, call.now)


def next_midnight(moment: int) -> int:
    """Return the first midnight (UTC) after a moment in Unix seconds."""
    return moment - moment % DAY_S + DAY_S


def became_available(call: Call) -> bool:
    """Say whether money of the account became available in the day before now."""
    row = call.store.database.execute(
        "SELECT 1 FROM movements WHERE account = ? AND net > 0 AND available_on > ? "
        "AND available_on <= ? LIMIT 1",
        (call.account, call.now - DAY_S, call.now),
    ).fetchone()
    return row is not None


def stripe_fee_line(amount: int, currency: str, description: str) -> Body:
    """A line of `fee_details` that says what Stripe took; negative if it gave it back."""
    return {
        "amount": amount,
        "application": None,
        "currency": currency,
        "description": description,
        "type": "stripe_fee",
    }


def with_status(body: Body, now: int) -> Body:
    """Return the transaction with its status as of now."""
    body["status"] = "available" if body["available_on"] <= now else "pending"
    return body


def sums(call: Call) -> dict[str, tuple[int, int]]:
    """Return (available, pending) by currency of the call's account."""
    rows = call.store.database.execute(
        "SELECT currency, SUM(CASE WHEN available_on <= ? THEN net ELSE 0 END), SUM(net) "
        "FROM movements WHERE account = ? GROUP BY currency ORDER BY currency",
        (call.now, call.account),
    )
    return {currency: (available, total - available) for currency, available, total in rows}


def retrieve_balance(call: Call) -> Body:
    """`GET /v1/balance`."""
    found = sums(call) or {settlement_currency(call, call.account): (0, 0)}
    body: dict[str, Any] = {"object": "balance", "livemode": False}
    for place, name in enumerate(("available", "pending")):
        body[name] = [
            {"amount": pair[place], "currency": currency, "source_types": {"card": pair[place]}}
            for currency, pair in found.items()
        ]
    return body


def retrieve_transaction(call: Call) -> Body:
    """`GET /v1/balance_transactions/{id}`."""
    return with_status(
        call.load("balance_transaction", call.ids[0], "id", "balance transaction"), call.now
    )


def settlement_currency(call: Call, account_id: str, currency: str = "") -> str:
    """Return the currency in which an account is paid, or in which one's charges are."""
    return settlement_of(account_of(call, account_id), currency)


def settlement_of(account: Body, currency: str) -> str:
    """Return what a charge settles in: its own currency with a bank account for it, or the default.

    Source: docs.stripe.com/connect/multicurrency-settlement.
    """
    banks = account["external_accounts"]["data"]
    kept = currency in {bank["currency"] for bank in banks if bank["default_for_currency"]}
    return currency if kept else str(account["default_currency"])


def account_of(call: Call, account_id: str) -> Body:
    """Return an account's body; the platform's own is one of them."""
    body = call.store.get(call.world.platform, "account", account_id)
    if body is None:
        raise StripeError(404, f"No such account: '{account_id}'", code="resource_missing")
    return body


def settle(call: Call) -> int:
    """Make all pending money of an account available now; returns how many transactions."""
    account, now, database = call.account, call.now, call.store.database
    changed = database.execute(
        "UPDATE objects SET body = json_set(body, '$.available_on', ?) WHERE id IN "
        "(SELECT id FROM movements WHERE account = ? AND available_on > ?)",
        (now, account, now),
    ).rowcount
    database.execute(
        "UPDATE movements SET available_on = ? WHERE account = ? AND available_on > ?",
        (now, account, now),
    )
    if changed:
        timers.start_once(call, DAY, account, next_midnight(now))
        call.emit("balance.available", retrieve_balance(call))
    return changed


def take_for_payout(call: Call, currency: str) -> tuple[list[str], int]:
    """Return available, not yet paid out transactions and their sum."""
    rows = call.store.database.execute(
        "SELECT m.id, m.net FROM movements m JOIN objects o ON o.id = m.id WHERE m.account = ? "
        "AND m.currency = ? AND m.available_on <= ? AND m.payout IS NULL ORDER BY o.sequence",
        (call.account, currency, call.now),
    ).fetchall()
    return [row[0] for row in rows], sum(row[1] for row in rows)


def assign_to_payout(call: Call, transactions: list[str], payout: str) -> None:
    """Let `balance_transactions?payout=` list these transactions."""
    for transaction_id in transactions:
        call.store.database.execute(
            "UPDATE movements SET payout = ? WHERE id = ?", (payout, transaction_id)
        )
        call.store.add_tag(transaction_id, "payout", payout)


def decode_rows(rows: list[tuple[str]]) -> list[Body]:
    """Return bodies of rows that hold JSON text."""
    return [orjson.loads(row[0]) for row in rows]
