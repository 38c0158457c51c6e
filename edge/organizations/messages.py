"""Messages that leave with what the edge decides about organizations and their people.

Their ids come from what they are about, so that whoever repeats them says the same.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from contracts.entries import EntryRequested
from contracts.identifiers import business_id
from contracts.message import BodyT, Envelope
from contracts.permissions import PermissionsRequested, RelationshipChange
from topics import outbox
from topics.codec import Record
from topics.registry import ENTRIES_REQUESTED, PERMISSIONS_REQUESTED
from topics.topic import Topic

_SENDER: Final = "edge"


def genesis(organization: str, name: str, origin: str, now: datetime) -> Record:
    """The first entry of an organization's chain."""
    body = EntryRequested(
        kind="genesis",
        visibility="public_full",
        subject=organization,
        details={"name": name, "origin": origin},
    )
    return record(ENTRIES_REQUESTED, organization, f"{organization}:genesis", body, now)


def permissions(
    organization: str, subject: str, changes: Sequence[RelationshipChange], now: datetime
) -> Record:
    """Changes of who may do what, because of what happened to `subject` at that time."""
    body = PermissionsRequested(changes=tuple(changes))
    return record(PERMISSIONS_REQUESTED, organization, f"{subject}:permissions", body, now)


def record(
    topic: Topic[BodyT], organization: str, business_key: str, body: BodyT, now: datetime
) -> Record:
    """A message of the edge, whose id comes from its time and business key."""
    message = Envelope(
        id=business_id(now, business_key),
        type=topic.name,
        time=now,
        organization=organization,
        cause=None,
        body=body,
    )
    return outbox.prepare(_SENDER, topic, message)
