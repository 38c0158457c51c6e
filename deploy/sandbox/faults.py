"""Faults on demand: one table, matched by method and path prefix, each good for a number of times.

Requests match by HTTP method and path; webhook deliveries by method `WEBHOOK` and event type; what
Stripe itself does late or wrongly by method `OBJECT` and kind of object. What each action means is
in `ACTIONS`. The table lives in memory: a restart begins without faults.
"""

import random
from dataclasses import dataclass
from typing import Any

from deploy.sandbox.errors import StripeError, key_in_use
from deploy.sandbox.identifiers import new_id

WEBHOOK = "WEBHOOK"
OBJECT = "OBJECT"
METHODS = ("GET", "POST", "DELETE", "*", WEBHOOK, OBJECT)
SECONDS_MAX = 3600.0

ACTIONS = {
    "answer": "answer `status` instead of doing the work (500 is remembered by idempotency keys)",
    "delay": "wait `seconds` before the work; of a delivery: before its first attempt",
    "drop": "do the work, then close the connection; of a delivery: lose it for good",
    "duplicate": "send the delivery twice",
    "fail": "of the object payout: it fails a day after it was paid",
    "hang": "do the work, answer only after `seconds`",
    "late": "of the object charge: its balance transaction comes `seconds` later",
    "reorder": "hold the delivery for a random time up to `seconds`",
}
REQUEST_ACTIONS = ("answer", "delay", "drop", "hang")
DELIVERY_ACTIONS = ("delay", "drop", "duplicate", "reorder")
OBJECT_ACTIONS = {"charge": "late", "payout": "fail"}


@dataclass(slots=True)
class Fault:
    """One row: what it matches, how often it still applies (None = always), what it does.

    `name` is what people call it, empty for a row that somebody made up.
    """

    id: str
    method: str
    path: str
    action: str
    count: int | None
    status: int
    seconds: float
    probability: float
    dice: random.Random
    name: str = ""

    def matches(self, method: str, path: str) -> bool:
        """Say whether this row applies to a request or delivery, ignoring chance."""
        same = self.method == method or (self.method == "*" and method not in (WEBHOOK, OBJECT))
        return same and path.startswith(self.path) and self.count != 0

    def shown(self) -> dict[str, Any]:
        """Return the row as the control API prints it."""
        names = ("id", "name", "method", "path", "action", "count", "status", "seconds")
        return {name: getattr(self, name) for name in (*names, "probability")}


class Faults:
    """The table; the first row that matches is used, and used up."""

    def __init__(self) -> None:
        self.rows: list[Fault] = []

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault for this request or delivery and count it."""
        for fault in self.rows:
            if not fault.matches(method, path) or fault.dice.random() >= fault.probability:
                continue
            if fault.count is not None:
                fault.count -= 1
            return fault
        return None

    def add(self, description: dict[str, Any]) -> Fault:
        """Add a row from its JSON; raises ValueError with what is wrong."""
        fault = read_fault(description)
        self.rows.append(fault)
        return fault


_DEFAULTS: dict[str, Any] = {
    "path": "/v1/",
    "count": 1,
    "status": 500,
    "seconds": 1.0,
    "probability": 1.0,
    "seed": 0,
}


def read_fault(description: dict[str, Any]) -> Fault:
    """Return the row for a description; raises ValueError with what is wrong."""
    given = _DEFAULTS | description
    if given.get("method") == WEBHOOK and "path" not in description:
        given["path"] = ""
    unknown = set(given) - {*_DEFAULTS, "method", "action"}
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    if given.get("method") not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}")
    if not isinstance(given["path"], str):
        raise ValueError("path must be a text")  # noqa: TRY004 - one error type for bad JSON
    usable = _actions(given["method"], given["path"])
    if given.get("action") not in usable:
        raise ValueError(f"action must be one of {', '.join(usable)}")
    count, status, seconds = given["count"], given["status"], given["seconds"]
    if count is not None and (type(count) is not int or count < 1):
        raise ValueError("count must be a positive integer, or null for always")
    if type(status) is not int or not 400 <= status <= 599:
        raise ValueError("status must be an HTTP error status")
    if not isinstance(seconds, int | float) or not 0 <= seconds <= SECONDS_MAX:
        raise ValueError(f"seconds must be between 0 and {SECONDS_MAX:.0f}")
    probability = given["probability"]
    if not isinstance(probability, int | float) or not 0 < probability <= 1:
        raise ValueError("probability must be above 0 and at most 1")
    return Fault(
        id=new_id("fault", 8),
        method=given["method"],
        path=given["path"],
        action=given["action"],
        count=count,
        status=status,
        seconds=float(seconds),
        probability=float(probability),
        dice=random.Random(given["seed"]),  # noqa: S311 - repeatable chance is the point
    )


def _actions(method: str, path: str) -> tuple[str, ...]:
    if method == OBJECT:
        if path not in OBJECT_ACTIONS:
            raise ValueError(f"path must be one of {', '.join(OBJECT_ACTIONS)}")
        return (OBJECT_ACTIONS[path],)
    return DELIVERY_ACTIONS if method == WEBHOOK else REQUEST_ACTIONS


def refusal(status: int, key: str | None) -> StripeError:
    """Return Stripe's error for a status that a fault asks for."""
    if status == 429:
        return StripeError(
            429,
            "Request rate limit exceeded. Learn more about rate limits here "
            "https://stripe.com/docs/rate-limits.",
            code="rate_limit",
            headers={"Stripe-Rate-Limited-Reason": "endpoint-rate"},
            stored=False,
        )
    if status == 409:
        return key_in_use(key or "")
    return StripeError(
        status,
        "An unknown error occurred.",
        error_type="api_error",
        stored=status == 500,
    )
