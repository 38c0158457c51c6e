"""Repairs what drifted apart: the edge's rows decide, messages to the permissions worker repair.

Rules: what is missing is touched and what no row knows is deleted; both are said and counted. Rows
are read again after SpiceDB, so that what was given meanwhile is not taken: only what both readings
miss is unknown. A message on its way may make a repair needless, never wrong: all are idempotent.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import structlog
from prometheus_client import Counter

from contracts.identifiers import business_id, random_id
from contracts.message import Envelope
from contracts.permissions import PermissionsRequested, RelationshipChange
from edge.database.pool import Database
from edge.errors import ProblemError
from edge.reconciler import decisions, store
from edge.reconciler.decisions import GOVERNED, Drift
from edge.spicedb import NEWEST, CursorError, Relation, SpiceDB, UnreachableError
from topics import outbox
from topics.codec import Record
from topics.outbox import AnyConnection
from topics.registry import PERMISSIONS_REQUESTED

EVERY_S: Final = 3600.0
FIRST_AFTER_S: Final = 30.0
_UPDATES_MAX: Final = 500
#: Whose message repairs what belongs to no organization: the token is then nobody's.
NOBODY: Final = "org_" + "0" * 26
_log = structlog.get_logger()
_repaired = Counter("edge_permissions_repaired", "Relationships that had drifted", ["repair"])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was repaired. `is_done` is false when another process was at it."""

    is_done: bool
    touched: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()


async def reconcile(connection: AnyConnection, spicedb: SpiceDB) -> Outcome:
    """Compare once and queue repairs; UnreachableError while SpiceDB is away.

    `connection` is one of the edge's role, outside a transaction.
    """
    async with connection.transaction():
        if not await store.is_alone(connection):
            return Outcome(is_done=False)
        recorded = await store.recorded(connection)
        before = decisions.expected(await store.rows(connection), recorded)
        drift = decisions.compare(before, recorded, await _held(spicedb))
        after = decisions.expected(await store.rows(connection), recorded)
        missing = [(whose, one) for whose, one in drift.missing if one in after]
        unknown = [(whose, one) for whose, one in drift.unknown if one not in after]
        settled = Drift(tuple(missing), tuple(unknown))
        await outbox.queue(connection, messages(settled, datetime.now(UTC)))
    for repair, relations in (("touched", settled.missing), ("deleted", settled.unknown)):
        _repaired.labels(repair).inc(len(relations))
        for _, one in relations:
            _log.warning("permission_repaired", repair=repair, relationship=str(one))
    return Outcome(
        is_done=True,
        touched=tuple(str(one) for _, one in settled.missing),
        deleted=tuple(str(one) for _, one in settled.unknown),
    )


def messages(drift: Drift, now: datetime) -> list[Record]:
    """The commands that repair, one organization each."""
    by_organization: dict[str, list[RelationshipChange]] = {}
    for whose, one in drift.missing:
        by_organization.setdefault(whose, []).append(_change("touch", one))
    for other, one in drift.unknown:
        by_organization.setdefault(other or NOBODY, []).append(_change("delete", one))
    records = []
    for organization, changes in sorted(by_organization.items()):
        for start in range(0, len(changes), _UPDATES_MAX):
            body = PermissionsRequested(changes=tuple(changes[start : start + _UPDATES_MAX]))
            message = Envelope(
                id=business_id(now, f"{organization}:repair:{random_id(now)}"),
                type=PERMISSIONS_REQUESTED.name,
                time=now,
                organization=organization,
                cause=None,
                body=body,
            )
            records.append(outbox.prepare("edge", PERMISSIONS_REQUESTED, message))
    return records


async def _held(spicedb: SpiceDB) -> Sequence[Relation]:
    """All that SpiceDB holds of what rows decide over."""
    found = []
    for kind in sorted({kind for kind, _ in GOVERNED}):
        try:
            found += [one async for one in _of_kind(spicedb, kind)]
        except CursorError as error:
            raise UnreachableError(f"SpiceDB knows no {kind}") from error
    return found


async def _of_kind(spicedb: SpiceDB, kind: str) -> AsyncIterator[Relation]:
    async for one in spicedb.relations(kind, as_of=NEWEST):
        if decisions.is_governed(one):
            yield one


def _change(operation: Literal["touch", "delete"], one: Relation) -> RelationshipChange:
    return RelationshipChange(
        operation=operation, resource=one.resource, relation=one.relation, subject=one.subject
    )


class Reconciler:
    """Reconciles soon after the start, then every hour, in whichever edge comes first."""

    def __init__(
        self,
        database: Database,
        spicedb: SpiceDB,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._spicedb = spicedb
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="reconciler")

    async def close(self) -> None:
        """Stop; what was queued stays queued."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        await self._sleep(FIRST_AFTER_S)
        while True:
            try:
                async with self._database.connection() as connection:
                    await reconcile(connection, self._spicedb)
            except (ProblemError, UnreachableError) as error:
                _log.warning("permissions_not_reconciled", error=type(error).__name__)
            await self._sleep(EVERY_S)
