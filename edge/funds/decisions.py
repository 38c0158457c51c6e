"""What may become of a fund. Pure: nothing looked up."""

from collections.abc import Mapping
from typing import Any

from contracts.money import spell
from edge.errors import ProblemError
from edge.funds.models import FundChange
from edge.times import spell_time


def resource(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fund that a row of `edge.funds` makes."""
    copied = ("id", "organization", "name", "kind", "currency", "description", "goal_minor")
    return {
        **{name: row[name] for name in copied},
        "object": "fund",
        "visibility": row["visibility"],
        "is_default": row["is_default"],
        "status": "active" if row["is_active"] else "closed",
        "created_at": spell_time(row["created_at"]),
        "updated_at": spell_time(row["updated_at"]),
    }


def settings_of(row: Mapping[str, Any]) -> FundChange:
    """What can be changed of a fund, as it is now."""
    names = ("name", "kind", "description", "goal_minor", "visibility", "is_default", "status")
    shown = resource(row)
    return FundChange(**{name: shown[name] for name in names})


def check_change(current: FundChange, wanted: FundChange, held_minor: int, currency: str) -> None:
    """ProblemError 409 when the fund cannot become what is wanted."""
    is_closing = (current.status, wanted.status) == ("active", "closed")
    if current.is_default and (is_closing or not wanted.is_default):
        raise ProblemError("fund_is_default")
    if wanted.status == "closed" and wanted.is_default:
        raise ProblemError("fund_closed", "A closed fund is no default.", param="is_default")
    if is_closing and held_minor:
        raise ProblemError("fund_not_empty", f"The fund holds {spell(held_minor, currency)}.")


def event_of(current: FundChange, wanted: FundChange) -> str:
    """What the change is told as."""
    is_closing = (current.status, wanted.status) == ("active", "closed")
    return "fund.closed" if is_closing else "fund.updated"
