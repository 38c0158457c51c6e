"""An event as the API shows it, in the manner of CloudEvents 1.0."""

from typing import Any, Literal

from pydantic import BaseModel

from contracts.message import OrganizationId


class EventData(BaseModel):
    """The thing that it happened to, as far as the event says."""

    object: dict[str, Any]


class Event(BaseModel):
    """What happened. Nothing in it identifies a person; `subject` is the object's id."""

    id: str
    object: Literal["event"] = "event"
    type: str
    time: str
    organization: OrganizationId
    subject: str
    data: EventData


class EventPage(BaseModel):
    """Events, oldest first. `next_cursor` is always there: go on from it, now or later.

    With a filter it may be behind the last event shown, as what was passed over needs no second
    look. Events of members, invitations, keys and collectors are left out for those who may not
    look at these.
    """

    object: Literal["list"] = "list"
    data: list[Event]
    has_more: bool
    next_cursor: str
