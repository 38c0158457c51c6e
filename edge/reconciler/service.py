"""Repairs what drifted apart: the edge's rows decide, messages to the permissions worker repair.

Rules: what is missing or wrong is touched and what no row says is deleted; both are said and
counted. The rows of an organization are read again for its repairs, under the lock that whoever
changes them takes: so a repair is said after all that they were before, and a difference that came
of a message on its way may make it needless, never wrong.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from prometheus_client import Counter

from contracts.identifiers import random_id
from contracts.permissions import RelationshipChange
from edge.database.pool import Database
from edge.errors import ProblemError
from edge.organizations import messages
from edge.organizations.relationships import following
from edge.reconciler import decisions, store
from edge.reconciler.decisions import Drift, Names, Recorded
from edge.spicedb import NEWEST, CursorError, Relation, SpiceDB, UnreachableError
from topics import outbox
from topics.codec import Record
from topics.outbox import AnyConnection

EVERY_S: Final = 3600.0
FIRST_AFTER_S: Final = 30.0
_UPDATES_MAX: Final = 500
#: After so many relationships whoever else waits has a turn.
_TURN: Final = 1000
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
    if not await store.is_alone(connection):
        return Outcome(is_done=False)
    try:
        return await _reconcile(connection, spicedb)
    finally:
        await store.leave(connection)


async def _reconcile(connection: AnyConnection, spicedb: SpiceDB) -> Outcome:
    wanted = await _wanted(connection)
    recorded = {one.relation.names: one for one in await store.recorded(connection)}
    held = await _held(spicedb)
    # Long lists, and requests wait for nobody here.
    missing = await asyncio.to_thread(decisions.missing, wanted, recorded, held)
    unknown = await asyncio.to_thread(decisions.unknown, wanted, recorded, held)
    owners, platform = await store.owners(connection), await store.platform_organization(connection)
    drifts: dict[str | None, Drift] = {}
    for names in missing:
        drifts.setdefault(decisions.owner(names, owners, platform), Drift()).missing.add(names)
    for names in unknown:
        drifts.setdefault(decisions.owner(names, owners, platform), Drift()).unknown.add(names)
    repaired: list[RelationshipChange] = []
    for organization in sorted(drifts, key=str):
        drift = drifts[organization]
        async with connection.transaction():
            repaired += await _repair(connection, organization, platform, drift, recorded)
    return _outcome(repaired)


async def _repair(
    connection: AnyConnection,
    organization: str | None,
    platform: str | None,
    drift: Drift,
    recorded: Mapping[Names, Recorded],
) -> Sequence[RelationshipChange]:
    """Queue what repairs one organization's drift; what that is."""
    now = datetime.now(UTC)
    rows = []
    if organization is not None:
        rows = await store.rows_to_repair(connection, organization, platform)
    changes = decisions.repairs(drift, following(rows, now))
    in_name_of: dict[str, list[RelationshipChange]] = {}
    for one in changes:
        known = recorded.get((one.resource, one.relation, one.subject))
        name = known.organization if known is not None else organization or NOBODY
        in_name_of.setdefault(name, []).append(one)
    records = [
        record for name, some in sorted(in_name_of.items()) for record in told(name, some, now)
    ]
    await outbox.queue(connection, records)
    return changes


def told(organization: str, changes: Sequence[RelationshipChange], now: datetime) -> list[Record]:
    """The commands that repair, in the name of an organization."""
    return [
        messages.permissions(
            organization,
            f"{organization}:repair:{random_id(now)}",
            changes[start : start + _UPDATES_MAX],
            now,
        )
        for start in range(0, len(changes), _UPDATES_MAX)
    ]


def _outcome(repaired: Iterable[RelationshipChange]) -> Outcome:
    done: dict[str, list[str]] = {"touch": [], "delete": []}
    for one in repaired:
        spelled = f"{one.resource}#{one.relation}@{one.subject}"
        done[one.operation].append(spelled)
        _log.warning("permission_repaired", repair=one.operation, relationship=spelled)
    _repaired.labels("touched").inc(len(done["touch"]))
    _repaired.labels("deleted").inc(len(done["delete"]))
    return Outcome(True, tuple(done["touch"]), tuple(done["delete"]))


async def _wanted(connection: AnyConnection) -> list[Relation]:
    """All that should be."""
    now, found = datetime.now(UTC), []
    async for rows in store.all_rows(connection):
        found += following(rows, now)
    return found


async def _held(spicedb: SpiceDB) -> dict[Names, Relation]:
    """All that SpiceDB holds."""
    found: dict[Names, Relation] = {}
    for kind in decisions.KINDS:
        try:
            async for one in spicedb.relations(kind, as_of=NEWEST):
                found[one.names] = one
                if len(found) % _TURN == 0:
                    await asyncio.sleep(0)
        except CursorError as error:
            raise UnreachableError(f"SpiceDB knows no {kind}") from error
    return found


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
