"""Replaces ids by the objects they name: `expand[]=latest_charge.balance_transaction`."""

from typing import Any

from deploy.sandbox.balance import with_status
from deploy.sandbox.calls import Call
from deploy.sandbox.errors import StripeError, invalid_parameter
from deploy.sandbox.lists import refunds_of
from deploy.sandbox.store import Body

DEPTH_MAX = 4

# kind -> field -> kind of what it names; "*" where that depends on the object.
EXPANDABLE = {
    "payment_intent": {"latest_charge": "charge", "payment_method": "payment_method"},
    "charge": {
        "application_fee": "application_fee",
        "balance_transaction": "balance_transaction",
        "payment_intent": "payment_intent",
        "refunds": "list",
    },
    "balance_transaction": {"source": "*"},
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "fee_refund": {"balance_transaction": "balance_transaction", "fee": "application_fee"},
    "refund": {
        "balance_transaction": "balance_transaction",
        "charge": "charge",
        "failure_balance_transaction": "balance_transaction",
        "payment_intent": "payment_intent",
        "payment_method": "payment_method",
    },
    "payout": {
        "balance_transaction": "balance_transaction",
        "failure_balance_transaction": "balance_transaction",
        "original_payout": "payout",
        "reversed_by": "payout",
    },
    "application_fee": {
        "account": "account",
        "balance_transaction": "balance_transaction",
        "charge": "charge",
    },
    "*": {
        "balance_transaction": "balance_transaction",
        "failure_balance_transaction": "balance_transaction",
        "payment_intent": "payment_intent",
        "charge": "charge",
    },
}


def check(kind: str, paths: list[str], *, listed: bool) -> None:
    """Raise StripeError (400) for a path that cannot be expanded on answers of this kind."""
    for path in paths:
        names = path.split(".")
        if listed:
            if names[0] != "data":
                raise _not_expandable(path)
            names = names[1:]
        if not names or len(names) > DEPTH_MAX:
            raise invalid_parameter(
                f"You cannot expand more than {DEPTH_MAX} levels of a property.", "expand"
            )
        place = kind
        for name in names:
            place = EXPANDABLE.get(place, {}).get(name, "")
            if not place:
                raise _not_expandable(path)


def _not_expandable(path: str) -> StripeError:
    return invalid_parameter(f"This property cannot be expanded ({path[:100]}).", "expand")


def expanded(call: Call, body: Body, paths: list[str]) -> Body:
    """Return a copy with `paths` expanded; `body` itself, which is about to be stored, stays."""
    for path in paths:
        body = _descend(call, body, path.split("."))
    return body


def _descend(call: Call, value: Any, names: list[str]) -> Any:
    if isinstance(value, str):
        found = call.store.find(value)
        if found is None:
            return value
        value = found[1]
        if value["object"] == "balance_transaction":
            with_status(value, call.now)
    if not names or value is None:
        return value
    if isinstance(value, list):
        return [_descend(call, item, names) for item in value]
    if names[0] == "refunds" and value["object"] == "charge":
        value = value | {"refunds": refunds_of(call, value["id"])}
    if names[0] not in value:
        return value
    return value | {names[0]: _descend(call, value[names[0]], names[1:])}
