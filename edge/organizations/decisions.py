"""What may become of an organization. Pure: no await, no clock, no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from edge.errors import ProblemError
from edge.listing import Columns
from edge.organizations.models import Review, Status
from edge.times import spell_time

Action = Literal[
    "approve",
    "reject",
    "request_information",
    "request_review",
    "withdraw",
    "suspend",
    "reinstate",
    "close",
]


@dataclass(frozen=True, slots=True)
class State:
    """Where an organization stands: its status, and where its review does."""

    status: Status
    review: Review


_REQUESTED: Final = State("pending", "requested")
_ASKED: Final = State("pending", "information_requested")
_VERIFIED: Final = State("verified", "approved")
_SUSPENDED: Final = State("suspended", "approved")
_CLOSED: Final = State("closed", "approved")

#: What is not here cannot be done. A closed organization stays closed.
TRANSITIONS: Final[Mapping[tuple[State, Action], State]] = {
    (_REQUESTED, "approve"): _VERIFIED,
    (_REQUESTED, "reject"): State("closed", "rejected"),
    (_REQUESTED, "request_information"): _ASKED,
    (_REQUESTED, "withdraw"): State("closed", "withdrawn"),
    (_ASKED, "approve"): _VERIFIED,
    (_ASKED, "reject"): State("closed", "rejected"),
    (_ASKED, "request_review"): _REQUESTED,
    (_ASKED, "withdraw"): State("closed", "withdrawn"),
    (_VERIFIED, "suspend"): _SUSPENDED,
    (_VERIFIED, "close"): _CLOSED,
    (_SUSPENDED, "reinstate"): _VERIFIED,
    (_SUSPENDED, "close"): _CLOSED,
}

#: Permissions that move money or say where it goes: none while an organization is suspended or
#: closed, whatever SpiceDB was told by then. The schema takes `suspended` off the same ones.
MOVES_MONEY: Final = frozenset(
    {
        "change_bank_account",
        "collect_donation",
        "create_donation",
        "create_donation_by_api",
        "issue_refund",
        "manage_payouts",
        "manage_stripe_account",
        "record_bookings",
    }
)


def after(state: State, action: Action) -> State:
    """The state after an action; ProblemError 409 when it cannot be done."""
    following = TRANSITIONS.get((state, action))
    if following is None:
        detail = f"The organization is {state.status}, its review {state.review}."
        raise ProblemError("organization_state", detail)
    return following


def is_done(state: State, action: Action) -> bool:
    """Whether an action's outcome stands already: to ask for it again is no mistake."""
    return state in {after for (_, done), after in TRANSITIONS.items() if done == action}


def event_of(action: Action) -> str:
    """What whoever listens is told of an action (`contracts/events.py`)."""
    match action:
        case "approve":
            return "organization.verified"
        case "suspend":
            return "organization.suspended"
        case _:
            return "organization.updated"


def public_profile(row: Columns) -> dict[str, Any]:
    """What anybody may know."""
    copied = (
        *("id", "slug", "name", "kind", "description", "website", "logo", "country", "sdgs"),
        *("default_currency", "verification_level"),
    )
    return {
        **{name: row[name] for name in copied},
        "object": "organization",
        "verified_at": _time(row["verified_at"]),
        "links": {
            "self": f"/v1/organizations/{row['slug']}",
            "public": f"/v1/public/organizations/{row['slug']}",
        },
    }


def resource(row: Columns) -> dict[str, Any]:
    """What its people and the platform's staff see."""
    copied = ("is_listed", "status", "review", "reason", "visibility")
    return {
        **public_profile(row),
        **{name: row[name] for name in copied},
        "accepts_donations": row["accepts_donations"] and row["status"] == "verified",
        "suspended_at": _time(row["suspended_at"]),
        "created_at": spell_time(row["created_at"]),
        "updated_at": spell_time(row["updated_at"]),
    }


def announced(row: Columns) -> dict[str, Any]:
    """What an event says: nothing that staff wrote in their own words."""
    return {name: value for name, value in resource(row).items() if name != "reason"}


def _time(moment: Any) -> str | None:
    return None if moment is None else spell_time(moment)
