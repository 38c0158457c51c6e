"""What an audit finds, and the comparison that finds most of it."""

from collections import Counter
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold."""

    rule: str
    text: str

    def __str__(self) -> str:
        return f"[{self.rule}] {self.text}"


def compare(rule: str, what: str, ours: Counter[Any], theirs: Counter[Any]) -> list[Finding]:
    """One finding for each key that differs."""
    return [
        Finding(rule, f"{what}, {key}: the ledger says {ours[key]}, Stripe {theirs[key]}")
        for key in sorted({*ours, *theirs}, key=str)
        if ours[key] != theirs[key]
    ]
