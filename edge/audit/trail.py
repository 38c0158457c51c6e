"""Denials and reads, and writes that nobody noted: buffered, and stored every second.

| what | rows |
| --- | --- |
| a denial of somebody | one each |
| denials of nobody in particular | one for each operation, code and client, with how often |
| a read of personal data | one each, with the resource |
| other reads | one for each actor, organization, operation and minute, with how often |
| a write whose service left no row | one, and a metric, since it should have |

Rules: memory is bounded, and what did not fit is counted; while PostgreSQL is away rows wait; what
waits is stored when the edge drains. A crash loses at most what was buffered, never a write's row.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, NamedTuple

import structlog
from aiohttp import web

from edge import metrics
from edge.access import Access
from edge.audit.asking import NOBODY, Actor, Asking, asking
from edge.caller import CALLER, ORGANIZATION
from edge.database.pool import Database
from edge.errors import PROBLEMS, ProblemError
from edge.http import REQUEST_ID
from edge.operation import Operation
from ledger.audit import PLATFORM, Deed, network_of
from ledger.store import audit as store

ROWS_MAX: Final = 10_000
FLUSH_S: Final = 1.0
_CHUNK: Final = 500
_MINUTE_S: Final = 60
#: Refusals of who may not, beside those of status 401 and 403.
_DENIALS: Final = frozenset({"organization_not_found"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ClientOf = Callable[[web.Request], str | None]
_log = structlog.get_logger()


class _Tally(NamedTuple):
    """What is counted together: `until` is when (Unix time) it is stored."""

    until: int
    organization: str
    actor_kind: str
    actor: str
    credential: str | None
    action: str
    outcome: str
    code: str | None
    network: str | None


class AuditTrail:
    """Watches operations. `client_of` tells the address of a request; `key` seals it."""

    def __init__(self, database: Database, key: bytes, client_of: ClientOf) -> None:
        self._database = database
        self._key = key
        self._client_of = client_of
        self._rows: list[Deed] = []
        self._tallies: dict[_Tally, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to store what comes."""
        self._task = asyncio.create_task(self._run(), name="audit")

    async def close(self) -> None:
        """Store what waits, and stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        with suppress(ProblemError):
            await self.flush(is_last=True)
        metrics.AUDIT_LOST.labels("at_the_end").inc(len(self._rows))

    def watch(self, operation: Operation, handler: Handler) -> Handler:
        """The handler, and a row for what it ends with. What is public has no actor, and no row."""
        access = operation.access
        if not isinstance(access, Access):
            return handler

        async def watched(request: web.Request) -> web.StreamResponse:
            with asking(self._asking(request, operation)) as who:
                try:
                    response = await handler(request)
                except ProblemError as problem:
                    self._refused(request, operation, who, problem)
                    raise
                self._done(request, operation, who, response)
                return response

        return watched

    def denied(self, who: Asking, code: str, organization: str | None = None) -> None:
        """Somebody was refused, or nobody in particular."""
        if who.actor is NOBODY:
            until = int(time.time()) + 1
            self._count(who, until, organization or PLATFORM, "denied", code, who.network)
        else:
            self._add(who.deed("denied", None, organization, code=code))

    def read(self, who: Asking, resource: str | None, organization: str | None = None) -> None:
        """Somebody read; `resource` is whose personal data it was, None for all else."""
        if resource is not None:
            self._add(who.deed("read", resource, organization))
            return
        second = int(time.time())
        until = second - second % _MINUTE_S + _MINUTE_S
        self._count(who, until, organization or who.actor.organization or PLATFORM, "read")

    async def flush(self, *, is_last: bool = False) -> None:
        """Store what is due, or all; ProblemError while PostgreSQL is away, and nothing is lost."""
        moment = time.time()
        due = [tally for tally in self._tallies if is_last or tally.until <= moment]
        self._rows += [_row_of(tally, self._tallies.pop(tally), self._key) for tally in due]
        while chunk := self._rows[:_CHUNK]:
            scope = sorted({deed.organization for deed in chunk})
            async with self._database.transaction(scope) as connection:
                await store.add(connection, chunk)
            del self._rows[: len(chunk)]

    def _asking(self, request: web.Request, operation: Operation) -> Asking:
        address = self._client_of(request)
        return Asking(
            actor=NOBODY,
            action=operation.identifier,
            request=request[REQUEST_ID],
            network=None if address is None else network_of(address),
            key=self._key,
        )

    def _refused(
        self, request: web.Request, operation: Operation, who: Asking, problem: ProblemError
    ) -> None:
        if PROBLEMS[problem.code].status in (401, 403) or problem.code in _DENIALS:
            self.denied(who, problem.code, _organization_of(request))

    def _done(
        self,
        request: web.Request,
        operation: Operation,
        who: Asking,
        response: web.StreamResponse,
    ) -> None:
        organization = _organization_of(request)
        if request.method in _SAFE:
            of_operation = _subject(request) if operation.reads_personal_data else None
            self.read(who, who.personal_read or of_operation, organization)
        elif not who.has_written and "Idempotent-Replayed" not in response.headers:
            metrics.AUDIT_LATE.labels(operation.identifier).inc()
            self._add(who.deed("done", _subject(request), organization))

    def _add(self, deed: Deed) -> None:
        if len(self._rows) + len(self._tallies) < ROWS_MAX:
            self._rows.append(deed)
        else:
            metrics.AUDIT_LOST.labels("full").inc()

    def _count(
        self,
        who: Asking,
        until: int,
        organization: str,
        outcome: str,
        code: str | None = None,
        network: str | None = None,
    ) -> None:
        actor: Actor = who.actor
        tally = _Tally(
            *(until, organization, actor.kind, actor.id, actor.session),
            *(who.action, outcome, code, network),
        )
        if tally in self._tallies or len(self._rows) + len(self._tallies) < ROWS_MAX:
            self._tallies[tally] = self._tallies.get(tally, 0) + 1
        else:
            metrics.AUDIT_LOST.labels("full").inc()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            try:
                await self.flush()
            except ProblemError:  # PostgreSQL is away: the next round stores them.
                continue
            except Exception as error:
                _log.error("audit_not_stored", error=type(error).__name__, rows=len(self._rows))


def _row_of(tally: _Tally, times: int, key: bytes) -> Deed:
    actor = _Counted(tally.actor_kind, tally.actor, tally.organization, tally.credential)
    who = Asking(actor, tally.action, network=tally.network, key=key)
    start = tally.until - (_MINUTE_S if tally.outcome == "read" else 1)
    deed = who.deed(tally.outcome, None, tally.organization, code=tally.code, times=times)
    return deed._replace(occurred_at=datetime.fromtimestamp(start, UTC))


class _Counted(NamedTuple):
    kind: str
    id: str
    organization: str
    session: str | None


def _organization_of(request: web.Request) -> str | None:
    organization = request.get(ORGANIZATION)
    return None if organization is None else organization.id


def _subject(request: web.Request) -> str:
    """What the path is about: its last parameter, the organization by its id."""
    organization = _organization_of(request)
    names = [name for name in request.match_info if name not in ("organization", "slug")]
    if names:
        return request.match_info[names[-1]][:200]
    caller = request.get(CALLER)
    return organization or (caller.organization if caller is not None else "") or PLATFORM
