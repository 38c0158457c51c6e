"""Taking webhooks in: kept encrypted and passed on in one transaction, once per event."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from contracts.identifiers import business_id
from contracts.message import Envelope
from contracts.stripe_events import StripeEventReceived
from edge import metrics
from edge.database.pool import Database
from edge.directory.directory import Directory
from edge.errors import ProblemError
from edge.group_commit import GroupCommit
from edge.webhooks import events, store
from edge.webhooks.events import Endpoint, Event
from ledger import keys
from topics import failpoints, outbox
from topics.codec import Record
from topics.registry import STRIPE_EVENTS

_PURPOSE: Final = "stripe-event"
_SENDER: Final = "edge"


@dataclass(frozen=True, slots=True)
class _Received:
    event: Event
    ciphertext: bytes
    record: Record | None


class Reception:
    """Keeps events whose signature was verified."""

    def __init__(
        self, database: Database, directory: Directory, master_key: bytes, *, is_live: bool
    ) -> None:
        self._database = database
        self._directory = directory
        self._is_live = is_live
        self._key = keys.derive(master_key, _PURPOSE)
        self._commits: GroupCommit[_Received, bool] = GroupCommit(
            self._commit,
            is_shared=lambda error: isinstance(error, ProblemError),
            observe=metrics.COMMIT_ITEMS.labels("stripe_events").observe,
        )

    def start(self) -> None:
        """Begin to commit."""
        self._commits.start()

    async def close(self) -> None:
        """Commit what was taken in."""
        await self._commits.close()

    async def receive(self, body: bytes, endpoint: Endpoint) -> Event:
        """Keep an event, durably, and pass it on if it is for us and new."""
        event = events.read(body, is_live=self._is_live, endpoint=endpoint)
        record = None
        if event.disposition == "passed_on":
            assert event.account is not None
            organization = await self._directory.organization_of_account(event.account)
            if organization is None:
                event = replace(event, disposition="unknown_account")
            else:
                record = outbox.prepare(_SENDER, STRIPE_EVENTS, message_of(event, organization.id))
        ciphertext = keys.encrypt(self._key, body, event.id.encode())
        future = self._commits.submit(_Received(event, ciphertext, record))
        is_new = await asyncio.shield(future)
        metrics.STRIPE_EVENTS.labels(event.disposition if is_new else "repeated").inc()
        return event

    async def _commit(self, batch: Sequence[_Received]) -> list[bool]:
        rows = [
            (
                item.event.id,
                item.event.type,
                item.event.account,
                item.event.payment_intent,
                item.event.disposition,
                item.ciphertext,
            )
            for item in batch
        ]
        async with self._database.transaction([]) as connection:
            new = await store.store(connection, rows)
            first: dict[str, _Received] = {}
            for item in batch:
                first.setdefault(item.event.id, item)
            records = [
                item.record
                for identifier, item in first.items()
                if identifier in new and item.record is not None
            ]
            await outbox.queue(connection, records)
            failpoints.reach("edge.before_commit")
        failpoints.reach("edge.committed")
        return [item.event.id in new and first[item.event.id] is item for item in batch]


def message_of(event: Event, organization: str) -> Envelope[StripeEventReceived]:
    """The message that says so. Its id comes from the event's, so a repetition has the same."""
    assert event.account is not None
    return Envelope(
        id=business_id(event.created, f"stripe:event:{event.id}"),
        type=STRIPE_EVENTS.name,
        time=event.created,
        organization=organization,
        cause=None,
        body=StripeEventReceived(
            event=event.id,
            event_type=event.type,
            account=event.account,
            object=event.object,
            created=event.created,
            livemode=event.livemode,
            api_version=event.api_version,
        ),
    )
