"""What can go wrong, by the names that people say: rows for the table of faults.

`NAMED` is the whole list: the command's help, the control API and the README's table come from it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from deploy.sandbox.faults import OBJECT, WEBHOOK


@dataclass(frozen=True, slots=True)
class NamedFault:
    """`row` is a row of the table but for chance and number; `seconds`, if it has any, can be
    given another value.
    """

    meaning: str
    row: dict[str, Any] = field(default_factory=dict)


#: Longer than Stripe's own libraries wait for an answer (80 s).
_NO_ANSWER_S: Final = 90.0

NAMED: Final[dict[str, NamedFault]] = {
    "webhooks-lost": NamedFault(
        "a webhook never comes; its event stays listed as undelivered",
        {"method": WEBHOOK, "action": "drop"},
    ),
    "webhooks-delayed": NamedFault(
        "a webhook comes `seconds` late (10)",
        {"method": WEBHOOK, "action": "delay", "seconds": 10.0},
    ),
    "webhooks-duplicated": NamedFault(
        "a webhook comes twice", {"method": WEBHOOK, "action": "duplicate"}
    ),
    "webhooks-reordered": NamedFault(
        "webhooks overtake one another: each is held for a random time up to `seconds` (10)",
        {"method": WEBHOOK, "action": "reorder", "seconds": 10.0},
    ),
    "conflict": NamedFault(
        "a POST is answered 409, as if its idempotency key were in use; nothing is done",
        {"method": "POST", "action": "answer", "status": 409},
    ),
    "rate-limited": NamedFault(
        "a request is answered 429; nothing is done",
        {"method": "*", "action": "answer", "status": 429},
    ),
    "server-error": NamedFault(
        "a request is answered 500; nothing is done, and its idempotency key remembers the 500",
        {"method": "*", "action": "answer", "status": 500},
    ),
    "timeout-after-success": NamedFault(
        f"a POST does its work and is answered only after `seconds` ({_NO_ANSWER_S:.0f})",
        {"method": "POST", "action": "hang", "seconds": _NO_ANSWER_S},
    ),
    "connection-lost": NamedFault(
        "a POST does its work, and the connection closes without an answer",
        {"method": "POST", "action": "drop"},
    ),
    "balance-transaction-late": NamedFault(
        "a balance transaction comes `seconds` after its charge (10), with `charge.updated`",
        {"method": OBJECT, "path": "charge", "action": "late", "seconds": 10.0},
    ),
    "payout-paid-then-failed": NamedFault(
        "a payout fails a day of the sandbox's clock after it was paid",
        {"method": OBJECT, "path": "payout", "action": "fail"},
    ),
}
_CHANGES: Final = {"rate": "probability", "times": "count", "seconds": "seconds", "seed": "seed"}


def row_of(given: dict[str, Any]) -> dict[str, Any]:
    """The row that `{"name", "rate", "times", "seconds", "seed"}` means; ValueError if none.

    Without `rate` and `times` it strikes once, with `rate` alone until it is cleared.
    """
    fault = NAMED.get(given["name"])
    if fault is None:
        raise ValueError(f"name must be one of {', '.join(NAMED)}")
    if unknown := set(given) - {"name", *_CHANGES}:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    if "seconds" in given and "seconds" not in fault.row:
        raise ValueError(f"{given['name']} takes no time")
    row = fault.row | {_CHANGES[name]: value for name, value in given.items() if name != "name"}
    if "rate" in given and "times" not in given:
        row["count"] = None
    return row


def table() -> Iterator[str]:
    """The lines of the README's table."""
    yield "| fault | what happens |"
    yield "| --- | --- |"
    for name, fault in NAMED.items():
        yield f"| `{name}` | {fault.meaning} |"
