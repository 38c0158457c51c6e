"""Entries that the writer makes itself when they are due: the day's census, the month's statements.

Rules: each batch of them is computed from the log exactly as it stands before the batch; due is
what the database's clock, or the last entry if that is later, says; nothing is due twice; a fault
in them stops no other request.
"""

from datetime import datetime
from typing import Final

import asyncpg
import structlog

from ledger import census, statement
from ledger.store import computed
from ledger.store import pen as store
from workers.bookkeeping import metrics
from workers.bookkeeping.recorder import NAME, Recorder
from workers.runtime.failures import Fault, fault_of

#: Statements in one batch: the requests of others wait for it.
STATEMENTS_MAX: Final = 500

_log = structlog.get_logger(NAME)


async def record_due(recorder: Recorder) -> None:
    """Record what is due; a month of very many organizations takes several calls."""
    state = recorder.pen.state
    if state.platform is None:
        return
    clock = await store.read_clock(recorder.connection)
    # What is recorded now has this time, even if the clock was set back a little.
    now = max(clock, state.last_time) if state.last_time else clock
    try:
        await _record_census(recorder, state.platform, clock, now)
        await _record_statements(recorder, clock, now)
    except asyncpg.PostgresError as error:
        if fault_of(error) is not Fault.MESSAGE:
            raise
        # A fault in what we computed ourselves stops nobody's requests; it is tried again.
        constraint = getattr(error, "constraint_name", None)
        _log.error("own_entries_refused", error=type(error).__name__, constraint=constraint)
        metrics.own_entries_refused.inc()


async def _record_census(recorder: Recorder, platform: str, clock: datetime, now: datetime) -> None:
    log = recorder.pen.state.log
    day = census.day_due(now, await computed.last_census(recorder.connection, log))
    if day is not None:
        organizations, root = await computed.members(recorder.connection, log)
        one = census.request(log, platform, day, organizations, root)
        await recorder.record_own([one], clock)
        _log.info("census_recorded", day=day.isoformat(), organizations=organizations)


async def _record_statements(recorder: Recorder, clock: datetime, now: datetime) -> None:
    log = recorder.pen.state.log
    at = await computed.stated(recorder.connection, log)
    if at is None:
        return
    month, after = statement.month_due(now, at[0]), at[1]
    if month is None or not await computed.is_summed_up(recorder.connection, log, month):
        return
    figures = await computed.figures(recorder.connection, log, month, after, STATEMENTS_MAX)
    made = [statement.request(organization, month, some) for organization, some in figures.items()]
    requests = [one for one in made if one is not None]
    if requests:
        await recorder.record_own(requests, clock)
    last = max(figures) if len(figures) == STATEMENTS_MAX else None
    await computed.state(recorder.connection, log, month, last)
    _log.info(
        "statements_recorded",
        month=month.isoformat(),
        recorded=len(requests),
        withheld=len(made) - len(requests),
    )
