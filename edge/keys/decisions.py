"""What a key may, and how it is shown. Pure: no clock, no database."""

from datetime import datetime
from typing import Any

from edge.errors import ProblemError
from edge.keys.models import ApiKeyRequest
from edge.listing import Columns
from edge.organizations import relationships
from edge.times import spell_time


def scopes_of(request: ApiKeyRequest, holder: str) -> list[str]:
    """The scopes that a key gets; ProblemError 422 for one that there is not, or not for this."""
    if request.kind == "publishable":
        return sorted(relationships.PUBLISHABLE_SCOPES)
    is_collector = holder.startswith("col_")
    allowed = relationships.COLLECTOR_SCOPES if is_collector else set(relationships.SCOPES)
    if is_collector and not request.scopes:
        return sorted(allowed)
    if not request.scopes:
        raise ProblemError("scope_unknown", "Name at least one scope.", param="scopes")
    unknown = sorted(set(request.scopes) - set(allowed))
    if unknown:
        detail = f"There are {', '.join(sorted(allowed))}."
        raise ProblemError("scope_unknown", detail, param="scopes")
    return sorted(set(request.scopes))


def key(row: Columns, now: datetime, secret: str | None = None) -> dict[str, Any]:
    """A key as the API shows it; `secret` exactly when it was just made."""
    status = "active"
    if row["expires_at"] is not None and row["expires_at"] <= now:
        status = "expired"
    if row["revoked_at"] is not None:
        status = "revoked"
    overlap = row["previous_until"]
    copied = ("id", "holder", "name", "kind", "environment", "hint", "scopes", "origins")
    times = ("expires_at", "revoked_at", "rotated_at", "last_used_at")
    return {
        **{name: row[name] for name in copied},
        "object": "api_key",
        "status": status,
        **{name: _time(row[name]) for name in times},
        "previous_until": _time(overlap if overlap is not None and overlap > now else None),
        "created_by": row["created_by"],
        "created_at": spell_time(row["created_at"]),
        "secret": secret,
    }


def announced(row: Columns, now: datetime) -> dict[str, Any]:
    """What an event says of a key: not its name, and nothing of its secret."""
    unsaid = {"name", "hint", "secret", "last_used_at"}
    return {name: value for name, value in key(row, now).items() if name not in unsaid}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else spell_time(moment)
