"""What the recorded ledger says, read from the entries themselves and their openings."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ENTRIES = """
    SELECT e.id, e.organization, e.kind, e.subject, e.bytes,
        (SELECT plain FROM ledger.openings o WHERE o.organization = e.organization
            AND o.entry_id = e.id AND o.section = 'money') AS money,
        (SELECT plain FROM ledger.openings o WHERE o.organization = e.organization
            AND o.entry_id = e.id AND o.section = 'details') AS details
    FROM ledger.entries e WHERE e.organization = ANY ($1) ORDER BY e.index
"""
BALANCES = """
    SELECT organization, fund, account, currency, amount::bigint AS amount FROM ledger.balances
    WHERE organization = ANY ($1) AND amount <> 0
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A posting; `amount` in ISO minor units, positive is debit."""

    organization: str
    fund: str
    account: str
    currency: str
    amount: int


@dataclass(frozen=True, slots=True)
class Entry:
    id: str
    organization: str
    kind: str
    subject: str | None
    ref: str | None
    lines: tuple[Line, ...]
    details: dict[str, Any]


async def read_entries(connection: Any, organizations: Sequence[str]) -> list[Entry]:
    """The entries of these organizations, whatever of them is sealed opened."""
    return [_read(row) for row in await connection.fetch(ENTRIES, list(organizations))]


async def read_balances(connection: Any, organizations: Sequence[str]) -> Counter[Any]:
    """What the ledger keeps as the sum of its postings."""
    rows = await connection.fetch(BALANCES, list(organizations))
    return Counter({tuple(row.values())[:4]: row["amount"] for row in rows})


def _read(row: Any) -> Entry:
    text = json.loads(row["bytes"])
    money = _section(text, "money", row["money"])
    lines = [
        Line(row["organization"], one["fund"], one["account"], one["currency"], int(one["amount"]))
        for one in money.get("postings", ())
    ]
    return Entry(
        row["id"],
        row["organization"],
        row["kind"],
        row["subject"],
        text.get("ref"),
        tuple(lines),
        _section(text, "details", row["details"]),
    )


def _section(text: dict[str, Any], name: str, opening: bytes | None) -> dict[str, Any]:
    shown: dict[str, Any] = text.get(name) or {}
    if "sealed" in shown:
        assert opening is not None, f"the opening of {text['id']} is not there"
        shown = json.loads(opening)["value"]
    return shown
