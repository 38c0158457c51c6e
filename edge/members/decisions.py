"""Who may give which role to whom, and whether a role holds. Pure: no clock, no database."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from edge.errors import ProblemError
from edge.listing import Columns
from edge.members.models import Role
from edge.people.models import Profile
from edge.times import spell_time

#: Owner > admin > finance > content > viewer; auditor and board stand outside the chain, and give
#: nothing to anybody.
RANKS: Final[Mapping[str, int]] = {
    "owner": 5,
    "admin": 4,
    "finance": 3,
    "content": 2,
    "viewer": 1,
    "auditor": 0,
    "board": 0,
}
_MANAGES_FROM: Final = RANKS["admin"]
#: What a role at the platform holds of the ones below it.
STAFF_RANKS: Final[Mapping[str, int]] = {"superuser": 3, "operations": 2, "support": 1}


def may_change(by: Role, before: Role | None, after: Role | None) -> bool:
    """Whether whoever is `by` may make somebody who is `before` be `after`; None: no member.

    Nobody gives or takes a role above the own one.
    """
    own = RANKS[by]
    return own >= _MANAGES_FROM and all(
        RANKS[role] <= own for role in (before, after) if role is not None
    )


def require_owner_left(before: Role, after: Role | None, owners: int) -> None:
    """ProblemError 409 when the organization would have no owner; there are `owners` now."""
    if before == "owner" and after != "owner" and owners <= 1:
        raise ProblemError("last_owner")


def event_of(before: Role | None, after: Role | None) -> str:
    """What whoever listens is told of it when somebody who was `before` is `after`."""
    if after is None:
        return "member.removed"
    return "member.added" if before is None else "member.updated"


def is_active(row: Columns, now: datetime) -> bool:
    """Whether a row of a member is one."""
    expires_at = row["expires_at"]
    return row["removed_at"] is None and (expires_at is None or expires_at > now)


def covers(role: str | None, written: Collection[str], ranks: Mapping[str, int]) -> bool:
    """Whether a role (None: none any more) holds all the roles that SpiceDB was told of.

    Outside the chain nothing is below anything.
    """
    if role is None:
        return not written
    below = {one for one, rank in ranks.items() if 0 < rank < ranks[role]}
    return set(written) <= below | {role}


def member(row: Columns) -> dict[str, Any]:
    """A member as the API shows one."""
    return {
        "id": row["person"],
        "object": "member",
        "organization": row["organization"],
        "role": row["role"],
        "expires_at": _time(row["expires_at"]),
        "created_at": spell_time(row["created_at"]),
        "updated_at": spell_time(row["updated_at"]),
    }


def named(row: Columns, profile: Profile | None) -> dict[str, Any]:
    """A member with what their provider says of them; None: not known, or not to be seen."""
    known = profile or Profile()
    return {**member(row), "name": known.name, "email": known.email}


def staff(row: Columns) -> dict[str, Any]:
    """One of the platform's people as the API shows them."""
    return {
        "id": row["person"],
        "object": "staff_member",
        "role": row["role"],
        "created_at": spell_time(row["created_at"]),
        "updated_at": spell_time(row["updated_at"]),
    }


def invitation(row: Columns, now: datetime) -> dict[str, Any]:
    """An invitation as the API shows one."""
    is_over = row["status"] == "open" and row["expires_at"] <= now
    copied = ("id", "organization", "role", "invited_by", "accepted_by")
    return {
        **{name: row[name] for name in copied},
        "object": "invitation",
        "status": "expired" if is_over else row["status"],
        "role_expires_at": _time(row["role_expires_at"]),
        "expires_at": spell_time(row["expires_at"]),
        "created_at": spell_time(row["created_at"]),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else spell_time(moment)
