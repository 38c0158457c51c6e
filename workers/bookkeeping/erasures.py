"""States in the log, once a day, whose donors were forgotten.

Rules: the erasures of all persons are asked for together, in random order, and the id of each comes
from the entry that it is about alone, so that neither order nor id nor time tells which gifts were
one person's; an erasure asked for twice is the same request.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import asyncpg
import structlog

from contracts.entries import EntryRequested
from contracts.identifiers import business_id, parse_type_id, time_of, type_id
from contracts.message import Envelope
from ledger.store import erasure
from ledger.store.connection import AnyConnection
from ledger.store.erasure import PendingErasure
from topics import outbox
from topics.registry import ENTRIES_REQUESTED
from topics.sessions import DATABASE_ERRORS
from workers.runtime.calls import wait
from workers.runtime.failures import delays

NAME: Final = "bookkeeping"
#: How often it is looked whether a run is due.
POLL_S: Final = 2.0
REQUESTS_MAX: Final = 1000

Shuffle = Callable[[list[PendingErasure]], None]
_SHUFFLE: Final[Shuffle] = secrets.SystemRandom().shuffle

_log = structlog.get_logger(NAME)


def _now() -> datetime:
    return datetime.now(UTC)


async def run(
    dsn: str, stopping: asyncio.Event, clock: Callable[[], datetime] = _now, poll_s: float = POLL_S
) -> None:
    """Make each day's run until told to stop, through restarts of the database."""
    pauses = delays(0.2, 5.0)
    while not stopping.is_set():
        try:
            connection = await asyncpg.connect(dsn, timeout=10, command_timeout=60)
            try:
                while not stopping.is_set():
                    await request_due(connection, clock())
                    await wait(stopping, poll_s)
            finally:
                await connection.close(timeout=2)
        except DATABASE_ERRORS as error:
            _log.warning("erasures_interrupted", error=type(error).__name__)
            await wait(stopping, next(pauses))


async def request_due(
    connection: AnyConnection,
    now: datetime,
    shuffle: Shuffle = _SHUFFLE,
) -> int | None:
    """Ask for the erasures that are pending; how many, or None when this day's run was made."""
    async with connection.transaction():
        if not await erasure.take_day(connection, now.astimezone(UTC).date()):
            return None
        pending = await erasure.pending(connection)
        shuffle(pending)
        count = 0
        for start in range(0, len(pending), REQUESTS_MAX):
            count += await _request(connection, pending[start : start + REQUESTS_MAX])
    if count:
        _log.info("erasures_requested", entries=count)
    return count


async def _request(connection: AnyConnection, pending: Sequence[PendingErasure]) -> int:
    requests = [(one, request_of(one)) for one in pending]
    ids = [type_id("ent", message.id) for _, message in requests]
    recorded = await erasure.recorded(connection, ids)
    done = [one for (one, _), entry in zip(requests, ids, strict=True) if entry in recorded]
    await erasure.settle(connection, done)
    missing = [
        outbox.prepare(NAME, ENTRIES_REQUESTED, message)
        for (_, message), entry in zip(requests, ids, strict=True)
        if entry not in recorded
    ]
    await outbox.queue(connection, missing)
    return len(missing)


def request_of(pending: PendingErasure) -> Envelope[EntryRequested]:
    """The request of an erasure. Its id and time are those of the entry it is about, for ever."""
    moment = time_of(parse_type_id("ent", pending.entry_id))
    return Envelope(
        id=business_id(moment, f"erasure:donor:{pending.entry_id}"),
        type=ENTRIES_REQUESTED.name,
        time=moment,
        organization=pending.organization,
        cause=None,
        body=EntryRequested(
            kind="erasure",
            visibility="public_full",
            ref=pending.entry_id,
            details={"sections": ["donor"], "basis": pending.basis},
        ),
    )
