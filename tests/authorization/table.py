"""`table.csv`, and the request that each of its rows stands for.

A row is a route and an organization: `own`, `other`, `suspended`, or `any` where none matters. A
cell is the status that the one in its column gets. What is asked for is real where that is simple
(REAL): the gift there is captured and not recorded yet, so that another attempt, a cancellation and
a receipt are a conflict (409) for whoever is let in. Else the request has a query parameter that no
route knows, so that 422 means "let in" and nothing changes. Where the organization is not in the
path, people name it in a header; a key asks for its own always: `other` means another one's gift.
Keys for web pages and collectors' keys ask about gifts of their own; of `other`, about one that
another key of the organization made.
"""

import csv
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge.operations import OPERATIONS
from tests.authorization.cast import COLUMNS, Cast, as_json

PATH: Final = Path(__file__).with_name("table.csv")
#: What refuses, whoever asks.
REFUSALS: Final = frozenset({401, 403, 404})
_ORGANIZATION: Final = "/v1/organizations/{organization}"
_GIFT: Final = "/v1/donations/{donation}"

#: Queries of requests that are answered for real.
REAL: Final[Mapping[tuple[str, str], str]] = {
    ("POST", "/v1/donations"): "",
    ("POST", f"{_GIFT}/refunds"): "",
    ("GET", _GIFT): "",
    ("GET", f"{_GIFT}/refunds"): "",
    ("POST", f"{_GIFT}/attempts"): "",
    ("POST", f"{_GIFT}/cancel"): "",
    ("GET", f"{_GIFT}/receipt"): "",
    ("GET", "/v1/refunds/{refund}"): "",
    ("GET", f"{_ORGANIZATION}/stripe-account"): "",
    ("GET", f"{_ORGANIZATION}/ledger"): "",
    ("GET", f"{_ORGANIZATION}/payouts"): "",
    ("GET", f"{_ORGANIZATION}/payout-settings"): "",
    ("GET", f"{_ORGANIZATION}/access"): "?permission=view_payouts",
    **{
        ("GET", f"{_ORGANIZATION}/{lists}"): ""
        for lists in ("funds", "projects", "campaigns", "bookings", "transactions", "donors")
    },
    ("GET", f"{_ORGANIZATION}/audit-log"): "",
    ("GET", "/v1/me/access"): "",
    ("GET", "/v1/events"): "",
}


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    method: str
    route: str
    organization: str
    cells: Mapping[str, int]

    @property
    def name(self) -> str:
        return f"{self.method} {self.route} of {self.organization}"

    def admits(self, column: str) -> bool:
        return self.cells[column] not in REFUSALS

    def request(self, cast: Cast, column: str) -> tuple[str, dict[str, Any]]:
        """The path, and what goes with it."""
        at = "own" if self.organization == "any" else self.organization
        place = cast.places[at]
        path = (
            self.route.replace("{organization}", place.slug)
            .replace("{slug}", place.slug)
            .replace("{donation}", cast.gift(column, at))
            .replace("{refund}", place.refund)
        )
        path = path.replace("{fund}", place.registered.funds["EUR"])
        path = path.replace("{project}", "proj_" + "0" * 26)
        path = re.sub(r"\{\w+\}", "unknown", path)
        headers = cast.headers(column, at)
        how: dict[str, Any] = {"headers": headers}
        if self.method in ("POST", "PATCH"):
            headers["Content-Type"] = "application/json"
            headers["Idempotency-Key"] = secrets.token_hex(8)
            how["data"] = as_json(_body(self.route, place.id))
        return path + REAL.get((self.method, self.route), "?nonsense=1"), how


def _body(route: str, organization: str) -> object:
    if route == "/v1/donations":
        return {
            "organization": organization,
            "amount_minor": 2500,
            "currency": "EUR",
            "payment_method": "pm_card_visa",
        }
    return {"amount_minor": 1} if route.endswith("/refunds") else {}


def read_table() -> list[Row]:
    """The committed table."""
    with PATH.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == ("method", "route", "organization", *COLUMNS)
    return [
        Row(
            one["method"],
            one["route"],
            one["organization"],
            {column: int(one[column]) for column in COLUMNS},
        )
        for one in rows
    ]


def guarded() -> list[tuple[str, str]]:
    """Every route that asks who comes."""
    return [(one.method.upper(), one.path) for one in OPERATIONS if one.scope is not None]
