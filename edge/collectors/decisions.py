"""How collectors and what they may are shown. Pure."""

from typing import Any

from edge.listing import Columns
from edge.times import spell_time


def collector(row: Columns) -> dict[str, Any]:
    """A collector."""
    copied = ("id", "name", "kind", "website", "status", "manager")
    return {**{name: row[name] for name in copied}, "object": "collector", **_times(row)}


def collection(row: Columns) -> dict[str, Any]:
    """That an organization allows a collector."""
    copied = ("organization", "organization_slug", "collector", "collector_name", "status")
    return {**{name: row[name] for name in copied}, "object": "collection", **_times(row)}


def announced(row: Columns) -> dict[str, Any]:
    """What an event says: not a collector's name, who may be a person."""
    shown = {
        "id": row["collector"],
        **collection(row),
        "collector_status": row["collector_status"],
    }
    return {name: value for name, value in shown.items() if name != "collector_name"}


def _times(row: Columns) -> dict[str, str]:
    return {name: spell_time(row[name]) for name in ("created_at", "updated_at")}
