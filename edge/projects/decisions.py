"""What may become of a project. Pure: nothing looked up."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from edge.errors import Fault, ProblemError
from edge.projects.models import ProjectChange
from edge.times import spell_time

#: Status -> what it may come to.
TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    "planning": frozenset({"active", "cancelled"}),
    "active": frozenset({"completed", "cancelled"}),
    "completed": frozenset(),
    "cancelled": frozenset(),
}


def resource(row: Mapping[str, Any]) -> dict[str, Any]:
    """The project that a row makes."""
    copied = ("id", "organization", "fund", "currency", "name", "description", "status")
    return {
        **{name: row[name] for name in copied},
        "object": "project",
        "budget_minor": row["budget_minor"],
        "spent_minor": row["spent_minor"],
        "starts_on": row["starts_on"] and row["starts_on"].isoformat(),
        "ends_on": row["ends_on"] and row["ends_on"].isoformat(),
        "impact": orjson.loads(row["impact"]),
        "created_at": spell_time(row["created_at"]),
        "updated_at": spell_time(row["updated_at"]),
    }


def settings_of(row: Mapping[str, Any]) -> ProjectChange:
    """What can be changed of a project, as it is now."""
    shown = resource(row)
    return ProjectChange.model_validate({name: shown[name] for name in ProjectChange.model_fields})


def update(row: Mapping[str, Any]) -> dict[str, Any]:
    """The news that a row makes."""
    return {
        **{name: row[name] for name in ("id", "project", "title", "text")},
        "object": "project_update",
        "dated": row["dated"].isoformat(),
        "created_at": spell_time(row["created_at"]),
    }


def check_move(moves: Mapping[str, frozenset[str]], current: str, wanted: str) -> None:
    """ProblemError 409 when a status cannot come to another."""
    if wanted != current and wanted not in moves[current]:
        allowed = ", ".join(sorted(moves[current])) or "nothing"
        raise ProblemError(
            "transition_not_allowed", f"From {current} it can come to {allowed}.", param="status"
        )


def check_order(start: str | None, end: str | None, name: str) -> None:
    """ProblemError 422 when something ends before it starts; equal forms compare as texts."""
    if start is not None and end is not None and end < start:
        detail = f"`{name}` is before the start."
        faults = [Fault(name, "ends_before_start", detail)]
        raise ProblemError("invalid_body", detail, param=name, faults=faults)
