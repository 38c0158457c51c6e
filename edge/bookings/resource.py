"""A booking as the API spells it. Pure."""

from collections.abc import Mapping
from typing import Any

import orjson

from edge.times import spell_time


def status_of(row: Mapping[str, Any]) -> str:
    """Recorded when all its entries are, refused when one never will be."""
    entries = row["entries"]
    if not entries and row["corrected_by"] is not None:
        return "withdrawn"
    if not entries and row["kind"] == "correction":
        return "recorded"  # It took back a transfer that nobody had taken.
    if entries and row["recorded"] == len(entries):
        return "recorded"
    return "refused" if row["refusal"] else "pending"


def resource(row: Mapping[str, Any]) -> dict[str, Any]:
    """The booking that a row makes."""
    copied = ("id", "organization", "kind", "fund", "amount_minor", "currency", "transfer")
    return {
        **{name: row[name] for name in copied},
        "object": "booking",
        "status": status_of(row),
        "terms": orjson.loads(row["terms"]),
        "entries": list(row["entries"]),
        "corrects": row["corrects"],
        "corrected_by": row["corrected_by"],
        "refusal": orjson.loads(row["refusal"]) if row["refusal"] else None,
        "created_at": spell_time(row["created_at"]),
    }
