"""How a change of relationships is asked for, in the transaction of what it follows from."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from contracts.identifiers import business_id
from contracts.message import Envelope
from contracts.permissions import PermissionsRequested, RelationshipChange
from topics import outbox
from topics.codec import Record
from topics.registry import PERMISSIONS_REQUESTED

_SENDER: Final = "edge"


def permissions_requested(
    organization: str, subject: str, changes: Sequence[RelationshipChange], now: datetime
) -> Record:
    """The record to queue; its id comes from the new thing `subject`."""
    message = Envelope(
        id=business_id(now, f"{subject}:permissions"),
        type=PERMISSIONS_REQUESTED.name,
        time=now,
        organization=organization,
        cause=None,
        body=PermissionsRequested(changes=tuple(changes)),
    )
    return outbox.prepare(_SENDER, PERMISSIONS_REQUESTED, message)
