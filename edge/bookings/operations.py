"""What the API offers of bookings."""

from typing import Final

from edge.access import Access
from edge.bookings.models import Booking, BookingList, BookingRequest
from edge.operation import (
    IDEMPOTENCY_KEY,
    OF_COMMAND,
    ORGANIZATION,
    PAGE,
    Operation,
    choice,
    parameter,
)

_LIST: Final = "/v1/organizations/{organization}/bookings"
_READ: Final = Access(scope="bookings:read", permission="view_bookings")

BOOKINGS: Final = (
    Operation(
        method="post",
        path=_LIST,
        identifier="createBooking",
        summary="Book money that moved outside the platform. 202 once durable; the entry follows.",
        status=202,
        answer=Booking,
        body=BookingRequest,
        access=Access(scope="bookings:write", permission="record_bookings", is_fresh=True),
        parameters=(ORGANIZATION, IDEMPOTENCY_KEY),
        headers=("Location", "Idempotent-Replayed"),
        problems=(
            *("fund_unknown", "project_unknown", "campaign_not_active", "currency_mismatch"),
            *("fund_overdrawn", "booking_not_found", "booking_not_recorded", "booking_corrected"),
            *("organization_unknown", "transfer_not_found", "transfer_taken", "backlog"),
            *OF_COMMAND,
        ),
    ),
    Operation(
        method="get",
        path=_LIST,
        identifier="listBookings",
        summary="What was booked, oldest first, and what became of it.",
        status=200,
        answer=BookingList,
        access=_READ,
        parameters=(
            *(ORGANIZATION, *PAGE),
            choice(
                *("kind", "Of one kind.", "expense", "grant", "grant_out", "interest"),
                *("allocation", "transfer_out", "transfer_in", "offline_donation", "correction"),
            ),
            choice("fund", "Of one fund."),
        ),
        problems=("query_not_accepted",),
    ),
    Operation(
        method="get",
        path=f"{_LIST}/{{booking}}",
        identifier="showBooking",
        summary="One booking, and what became of it.",
        status=200,
        answer=Booking,
        access=_READ,
        parameters=(
            ORGANIZATION,
            parameter("booking", "path", "The booking's `book_…` id.", {"type": "string"}),
        ),
        headers=("ETag",),
        problems=("booking_not_found", "query_not_accepted"),
    ),
)
