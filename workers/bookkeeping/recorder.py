"""Records batches: looks up what is known, decides, and stores everything in one transaction.

Rules: what goes wrong with one message is that message's alone. A message that the database
refuses is found by halving the batch, and refused; losing the pen or an engine ends the recorder,
whose state is then loaded anew.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import asyncpg
import structlog

from contracts.entries import EntryRequested
from contracts.identifiers import caused_id
from contracts.message import Envelope
from contracts.messages import MessageRefused
from ledger.batch import decide
from ledger.chain import Fund, Head
from ledger.decision import Decision, Refusal
from ledger.entry import Composer, Request
from ledger.store import pen as store
from ledger.store import waiting
from ledger.store.connection import AnyConnection
from ledger.store.pen import Pen
from topics import dead_letters, outbox
from topics.codec import Record
from topics.failpoints import reach
from topics.registry import ENTRIES_REQUESTED, MESSAGES_REFUSED
from workers.bookkeeping import metrics
from workers.bookkeeping.incoming import (
    UNDECODABLE,
    Incoming,
    next_offset,
    read_waiting,
    requests_of,
    to_waiting,
    verdict,
)
from workers.runtime.failures import Fault, fault_of

NAME: Final = "bookkeeping"
CACHE_ROWS_MAX: Final = 200_000

#: What only a wrong state of this writer can violate: never the fault of a message.
_STRUCTURE: Final = frozenset(
    ("entries_at_index", "entries_in_chain", "entries_continue_log", "balances_sum_to_zero")
)

_log = structlog.get_logger(NAME)


@dataclass(slots=True)
class Recorder:
    """Appends to one log while it holds the pen. Not to be used by two tasks at once."""

    connection: AnyConnection
    pen: Pen
    composer: Composer
    awaited: set[str]
    offset: int
    _chains: dict[str, Head] = field(default_factory=dict)
    _funds: dict[str, Fund] = field(default_factory=dict)

    async def record(self, items: Sequence[Incoming]) -> None:
        """Record a batch, and whatever waited for what is in it.

        Raises FencedError, ClockBehindError, and the errors of a lost connection.
        """
        await self._record([*items, *await self._released(requests_of(items))])

    async def record_own(self, requests: Sequence[Request], clock: datetime) -> None:
        """Record what the ledger itself computed, at `clock`, from the log as it stands.

        Raises FencedError when the log went on under another writer, and what `record` raises.
        """
        known = await store.look_up(self.connection, requests, self._chains, self._funds)
        state = self.pen.state
        decision = decide(requests, state, known, clock, self.composer, by_ledger=True)
        async with self.connection.transaction():
            await store.append(self.connection, self.pen.epoch, decision, self.offset)
        self._settle(decision, self.offset)

    async def _released(self, requests: Collection[Request]) -> list[Incoming]:
        """What waits for these requests, for what waits for them, and so on."""
        released: list[Incoming] = []
        while self.awaited and requests:
            keys = {request.id for request in requests}
            keys |= {one.organization for one in requests if one.kind == "genesis"}
            hits = keys & self.awaited
            if not hits:
                break
            log = self.pen.state.log
            rows = await waiting.find(self.connection, log, hits)
            found = [read_waiting(row, log) for row in rows]
            self.awaited -= hits
            released += found
            requests = requests_of(found)
        return released

    async def _record(self, items: Sequence[Incoming], *, with_seals: bool = False) -> None:
        try:
            await self._commit(items, with_seals=with_seals)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            constraint = getattr(error, "constraint_name", None)
            if constraint == store.DONOR_SEALS_ONCE and not with_seals:
                # Only a mistake uses a seal twice: not looking for one spares the others the time.
                await self._record(items, with_seals=True)
                return
            if fault_of(error) is not Fault.MESSAGE or constraint in _STRUCTURE:
                raise
            if len(items) > 1:
                middle = len(items) // 2
                for half in (items[:middle], items[middle:]):
                    # What the first half left waiting may wait for what is in the second.
                    await self._record([*half, *await self._released(requests_of(half))])
            else:
                reason = (
                    f"the database refused it: {type(error).__name__} {constraint or ''}".strip()
                )
                _log.error("database_refused", reason=reason, offset=items[0].position)
                await self._commit(items, refuse_all=reason)

    async def _commit(
        self, items: Sequence[Incoming], *, refuse_all: str | None = None, with_seals: bool = False
    ) -> None:
        requests = requests_of(items)
        if len(self._chains) + len(self._funds) > CACHE_ROWS_MAX:
            self._chains.clear()
            self._funds.clear()
        known = await store.look_up(
            self.connection, requests, self._chains, self._funds, with_seals=with_seals
        )
        clock = await store.read_clock(self.connection)
        if refuse_all is None:
            decision = decide(requests, self.pen.state, known, clock, self.composer)
        else:
            nothing = decide((), self.pen.state, known, clock, self.composer)
            refused = [Refusal(request, "database_refused", refuse_all) for request in requests]
            decision = nothing._replace(refused=refused)
        offset = next_offset(items, self.offset)
        with metrics.append_seconds.time():
            async with self.connection.transaction():
                await store.append(self.connection, self.pen.epoch, decision, offset)
                await self._store_rest(items, decision)
                reach("bookkeeping.before_commit")
        reach("bookkeeping.committed")
        self._settle(decision, offset)

    def _settle(self, decision: Decision, offset: int) -> None:
        """What was committed is the state that the next batch continues."""
        self.pen = Pen(self.pen.epoch, offset, decision.state)
        self.offset = offset
        self._chains |= decision.chains
        self._funds |= decision.funds
        self.awaited.update(item.waits_for for item in decision.waiting)
        metrics.count(decision)
        for refusal in decision.refused:
            _log.warning("request_refused", entry=refusal.request.id, code=refusal.code)

    async def _store_rest(self, items: Sequence[Incoming], decision: Decision) -> None:
        """Waiting requests and dead letters, and the refusals to tell."""
        log = self.pen.state.log
        waits = {one.request.id: one.waits_for for one in decision.waiting}
        refusals = {one.request.id: one for one in decision.refused}
        kept = {
            item.request.id: to_waiting(item, waits[item.request.id])
            for item in items
            if item.request is not None and item.request.id in waits
        }
        await waiting.put(self.connection, log, list(kept.values()))
        done = [
            item.request.id
            for item in items
            if item.waited and item.request is not None and item.request.id not in waits
        ]
        await waiting.remove(self.connection, log, done)
        await self._set_aside(items, refusals)

    async def _set_aside(self, items: Sequence[Incoming], refusals: dict[str, Refusal]) -> None:
        """Bury what is at fault; forget dead letters that are at fault no longer."""
        dead = []
        told: list[Record] = []
        for item in items:
            fault = None
            if item.request is None:
                fault = verdict(UNDECODABLE, item.fault or "")
            elif (refusal := refusals.get(item.request.id)) is not None:
                fault = verdict(refusal.code, refusal.reason)
                message = item.message
                assert message is not None, "a request was read out of a message"
                told.append(_refusal_fact(message, refusal))
            if item.set_aside is not None:
                if fault is None:
                    await dead_letters.remove(self.connection, item.set_aside)
                else:
                    await dead_letters.bury(self.connection, item.set_aside, fault)
            elif fault is not None:
                dead.append((item.delivery, item.message, fault))
        await dead_letters.put(self.connection, NAME, dead)
        await outbox.queue(self.connection, told)


def _refusal_fact(message: Envelope[EntryRequested], refusal: Refusal) -> Record:
    body = MessageRefused(
        worker=NAME,
        topic=ENTRIES_REQUESTED.name,
        message=message.id,
        code=refusal.code,
        reason=refusal.reason[:500],
    )
    fact = Envelope(
        id=caused_id(message.id, MESSAGES_REFUSED.name),
        type=MESSAGES_REFUSED.name,
        time=message.time,
        organization=message.organization,
        cause=message.id,
        body=body,
    )
    return outbox.prepare(NAME, MESSAGES_REFUSED, fact)
