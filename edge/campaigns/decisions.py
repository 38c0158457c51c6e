"""What may become of a campaign. Pure: nothing looked up."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from edge.campaigns.models import CampaignChange
from edge.directory.records import Campaign
from edge.errors import Fault, ProblemError
from edge.texts import moment_of
from edge.times import spell_time

#: Status -> what it may come to. What is over stays over.
TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    "draft": frozenset({"active", "cancelled"}),
    "active": frozenset({"paused", "completed", "cancelled"}),
    "paused": frozenset({"active", "completed", "cancelled"}),
    "completed": frozenset(),
    "cancelled": frozenset(),
}
#: What a change of status is told as.
_EVENTS: Final = {"completed": "campaign.completed", "cancelled": "campaign.cancelled"}


def public_resource(row: Mapping[str, Any]) -> dict[str, Any]:
    """The campaign that a row makes, as everybody sees it."""
    copied = ("id", "organization", "slug", "name", "story", "kind", "status", "currency")
    return {
        **{name: row[name] for name in copied},
        "object": "campaign",
        "goal_minor": row["goal_minor"],
        "starts_at": row["starts_at"] and spell_time(row["starts_at"]),
        "ends_at": row["ends_at"] and spell_time(row["ends_at"]),
    }


def resource(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same as its organization sees it."""
    return {
        **public_resource(row),
        "fund": row["fund"],
        "project": row["project"],
        "sums": orjson.loads(row["sums"]),
        "created_at": spell_time(row["created_at"]),
        "updated_at": spell_time(row["updated_at"]),
    }


def settings_of(row: Mapping[str, Any]) -> CampaignChange:
    """What can be changed of a campaign, as it is now."""
    shown = resource(row)
    return CampaignChange.model_validate(
        {name: shown[name] for name in CampaignChange.model_fields}
    )


def check_dates(settings: CampaignChange) -> None:
    """ProblemError 422 when it ends before it starts."""
    start, end = moment_of(settings.starts_at), moment_of(settings.ends_at)
    if start is not None and end is not None and end <= start:
        detail = "`ends_at` is not after `starts_at`."
        faults = [Fault("ends_at", "ends_before_start", detail)]
        raise ProblemError("invalid_body", detail, param="ends_at", faults=faults)


def event_of(current: CampaignChange, wanted: CampaignChange) -> str:
    """What the change is told as."""
    if wanted.status == current.status:
        return "campaign.updated"
    return _EVENTS.get(wanted.status, "campaign.updated")


def takes_gifts(campaign: Campaign | None, now: datetime) -> bool:
    """Whether a gift may name the campaign: it is active, and within its days."""
    return (
        campaign is not None
        and campaign.status == "active"
        and (campaign.starts_at is None or campaign.starts_at <= now)
        and (campaign.ends_at is None or now < campaign.ends_at)
    )
