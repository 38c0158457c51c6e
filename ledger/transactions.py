"""What entries mean for each fund, in the words that people use: made from entries and openings.

Pure. Rules: for each fund, the amounts of an entry's transactions sum up to what the fund's assets
changed by, in the currency of these; money that moves within a fund's assets (a payout, a hold by
a bank) is none; what a donor paid in another currency counts with what was settled.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from amply_verify.money import Line
from contracts.identifiers import caused_id, parse_type_id, type_id
from ledger.accounts import ASSETS
from ledger.projection import StoredEntry

#: Account, or what it is below -> what money from there is, and what money to there is.
WORDS: Final = {
    "Income:Donations": ("donation", "refund_issued"),
    "Income:Matching": ("donation", "refund_issued"),
    "Income:Grants": ("grant", "refund_issued"),
    "Income:Transfers": ("transfer_in", "transfer_out"),
    "Income:Interest": ("interest", "interest"),
    "Expenses:ProcessorFees": ("fee", "fee"),
    "Expenses:PlatformFees": ("fee", "fee"),
    "Expenses:DisputeFees": ("fee", "fee"),
    "Expenses:Program": ("refund_received", "expense"),
    "Expenses:Grants": ("refund_received", "grant_out"),
    "Expenses:Transfers": ("transfer_in", "transfer_out"),
    "Equity:Allocations": ("transfer_in", "transfer_out"),
    "Equity:Opening": ("transfer_in", "transfer_out"),
}
CONVERSION: Final = "Equity:Conversion"
#: What was exchanged is of the account that the kind is about.
_EXCHANGED: Final = {"grant": "Income:Grants", "allocation": "Equity:Allocations"}
#: Kinds that take back income, or take back that they did.
_TAKING_BACK: Final = frozenset(
    {"refund", "refund_failed", "dispute_withdrawn", "dispute_reinstated", "adjustment"}
)

TYPES: Final = tuple(dict.fromkeys(word for words in WORDS.values() for word in words))


class Transaction(NamedTuple):
    """Money into a fund (positive) or out of it, in minor units."""

    entry_id: str
    fund: str
    type: str
    organization: str
    id: str
    at: int
    kind: str
    currency: str
    amount_minor: int
    recorded_at: datetime
    occurred: str | None
    ref: str | None
    campaign: str | None
    project: str | None
    booking: str | None


def word_of(kind: str, account: str, amount_minor: int) -> str:
    """What it is that `amount_minor` (positive: into the fund) came from an account, or went."""
    if account == CONVERSION:
        account = _EXCHANGED.get(kind, "Income:Donations")
    if kind in _TAKING_BACK and account == "Income:Donations":
        return "refund_issued"
    while account and account not in WORDS:
        account = account.rpartition(":")[0]
    inward, outward = WORDS[account]
    return inward if amount_minor > 0 else outward


def transactions_of(
    entry: StoredEntry, postings: Iterable[tuple[Line, int]], details: bytes | None
) -> list[Transaction]:
    """The transactions of an entry; `details` is the opening of its details when sealed."""
    lines = list(postings)
    held = {(line.fund, line.currency) for line, _ in lines if line.account.startswith(ASSETS)}
    sums: dict[tuple[str, str, str], int] = {}
    for line, amount_minor in lines:
        pair = line.fund, line.currency
        if pair in held and not line.account.startswith(ASSETS):
            key = (*pair, word_of(entry.kind, line.account, -amount_minor))
            sums[key] = sums.get(key, 0) - amount_minor
    if not any(sums.values()):
        return []
    fields: dict[str, Any] = orjson.loads(entry.data)
    told = _details(fields, details)
    return [
        Transaction(
            entry_id=entry.id,
            fund=fund,
            type=word,
            organization=entry.organization,
            id=transaction_id(entry.id, fund, word),
            at=entry.at,
            kind=entry.kind,
            currency=currency,
            amount_minor=amount_minor,
            recorded_at=entry.recorded_at,
            occurred=_text(told, "occurred"),
            ref=fields.get("ref"),
            campaign=_text(told, "campaign"),
            project=_text(told, "project"),
            booking=_text(told, "booking"),
        )
        for (fund, currency, word), amount_minor in sorted(sums.items())
        if amount_minor
    ]


def transaction_id(entry: str, fund: str, word: str) -> str:
    """The id of an entry's transaction: the same however often it is made again."""
    return type_id("txn", caused_id(parse_type_id("ent", entry), f"{fund}/{word}"))


def _details(fields: dict[str, Any], opening: bytes | None) -> dict[str, Any]:
    shown: dict[str, Any] = fields.get("details") or {}
    if "sealed" not in shown:
        return shown
    if opening is None:
        return {}
    value: dict[str, Any] = orjson.loads(opening)["value"]
    return value


def _text(details: dict[str, Any], name: str) -> str | None:
    value = details.get(name)
    return value if isinstance(value, str) else None
