"""What the API offers of events."""

from typing import Final

from edge.access import Access
from edge.events.models import EventPage
from edge.operation import Operation, choice, parameter

EVENTS: Final = (
    Operation(
        method="get",
        path="/v1/events",
        identifier="listEvents",
        summary="What happened, oldest first; kept 30 days. Go on from `next_cursor`, for ever.",
        status=200,
        answer=EventPage,
        access=Access(scope="events:read", permission="view_events", on="own"),
        parameters=(
            parameter(
                "cursor",
                "query",
                "next_cursor of the page before; `latest`: only what comes from now on.",
                {"type": "string"},
            ),
            parameter(
                "limit",
                "query",
                "Events on a page.",
                {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
            ),
            parameter(
                "wait",
                "query",
                "Seconds to wait for an event when there is none.",
                {"type": "integer", "minimum": 0, "maximum": 30, "default": 0},
            ),
            parameter(
                "type",
                "query",
                "Types with commas between them; `donation.*` is all of a kind.",
                {"type": "string"},
            ),
            choice("subject", "The id of one thing."),
        ),
        problems=("query_not_accepted", "cursor_expired"),
    ),
)
