"""How a change at the edge becomes an event: a message in the transaction of the change."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from contracts.events import EVENT_TYPES, ResourceChanged
from contracts.identifiers import random_id
from contracts.message import Envelope
from topics import outbox
from topics.codec import Record
from topics.registry import RESOURCES_CHANGED

_SENDER: Final = "edge"


def announce(
    organization: str, event: str, subject: str, resource: Mapping[str, Any], now: datetime
) -> Record:
    """The record to queue (`topics.outbox.queue`) with the change that the event tells of.

    `event` is one of EVENT_TYPES, `subject` the resource's id, `resource` what its API shows now.
    Nothing in it may identify a person. KeyError for a type that is not in the table.
    """
    if event not in EVENT_TYPES:
        raise KeyError(event)
    message = Envelope(
        id=random_id(now),
        type=RESOURCES_CHANGED.name,
        time=now,
        organization=organization,
        cause=None,
        body=ResourceChanged(event=event, subject=subject, object=dict(resource)),
    )
    return outbox.prepare(_SENDER, RESOURCES_CHANGED, message)
