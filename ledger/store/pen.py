"""The pen: who may append to a log, and the append itself, in the caller's transaction.

Rules: taking the pen raises the log's epoch, and every append checks it on the locked row, so that
a writer that was paused while another took over cannot append; the reading position, the tree and
the entries change together or not at all.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from amply_verify.tree import HASH_BYTES, Frontier
from ledger.chain import Fund, Head, Known, LogState
from ledger.decision import Decision
from ledger.entry import Request
from ledger.store import labels
from ledger.store.connection import AnyConnection

TAKE: Final = """
    UPDATE ledger.writers SET epoch = epoch + 1, owner = $2
    WHERE log = $1 AND epoch = coalesce($3::bigint, epoch)
    RETURNING epoch, next_offset, size, frontier, last_time
"""
# A writer that was stopped inside its transaction holds the log's row. It has our role, which is
# what allows ending its session, and its transaction with it.
BREAK: Final = """
    SELECT pg_terminate_backend(locks.pid)
    FROM pg_locks AS locks JOIN pg_stat_activity AS session USING (pid)
    WHERE locks.relation = 'ledger.writers'::regclass AND locks.mode = 'RowExclusiveLock'
        AND locks.granted AND locks.pid <> pg_backend_pid() AND session.usename = current_user
"""
LOCK_TIMEOUT: Final = "SELECT set_config('lock_timeout', $1, true)"
PLATFORM: Final = "SELECT organization FROM ledger.entries WHERE log = $1 AND index = 0"
CLOCK: Final = "SELECT clock_timestamp()"
RECORDED: Final = "SELECT id, organization FROM ledger.entries WHERE id = ANY($1::text[])"
SEALS: Final = """
    SELECT encode(donor_seal, 'hex') FROM ledger.entries
    WHERE substring(donor_seal FOR 12) = ANY($1::bytea[]) AND donor_seal IS NOT NULL
"""
#: The constraint that an append breaks when it uses a recorded donor's seal again.
DONOR_SEALS_ONCE: Final = "entries_donor_seal"
CHAINS: Final = """
    SELECT organization, log, seq, head FROM ledger.chains WHERE organization = ANY($1::text[])
"""
FUNDS: Final = "SELECT id, organization, currency FROM ledger.funds WHERE id = ANY($1::text[])"
ADVANCE: Final = """
    UPDATE ledger.writers SET next_offset = $3, size = $4, frontier = $5, last_time = $6
    WHERE log = $1 AND epoch = $2
"""
MOVE_HEADS: Final = """
    INSERT INTO ledger.chains (organization, log, seq, head)
    SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bytea[])
    ON CONFLICT (organization) DO UPDATE SET seq = excluded.seq, head = excluded.head
"""
SETTLE_FUNDS: Final = """
    INSERT INTO ledger.funds (id, organization, currency)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
    ON CONFLICT (id) DO UPDATE SET currency = excluded.currency
"""
ADD_TO_BALANCES: Final = """
    INSERT INTO ledger.balances AS balance (organization, fund, account, currency, amount)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::numeric[])
    ON CONFLICT (organization, fund, account, currency)
    DO UPDATE SET amount = balance.amount + excluded.amount
"""
TELL: Final = "SELECT pg_notify('ledger_appended', '')"

_ENTRY_COLUMNS: Final = (
    *("log", "index", "organization", "seq", "id", "kind", "bytes", "leaf_hash", "donor_seal"),
    *("subject", "recorded_at"),
)
_OPENING_COLUMNS: Final = (
    *("organization", "entry_id", "section", "plain", "profile", "ciphertext"),
)


class FencedError(RuntimeError):
    """Another writer took over this log. This process must end and load everything anew."""


class NoSuchLogError(RuntimeError):
    """The database has no row for this log; a migration adds one for each log."""


@dataclass(frozen=True, slots=True)
class Pen:
    """The right to append, until somebody takes the next epoch. `next_offset` was stored last."""

    epoch: int
    next_offset: int
    state: LogState


async def take(
    connection: AnyConnection,
    log: int,
    origin: str,
    owner: str,
    epoch: int | None = None,
    patience_ms: int = 3_000,
) -> Pen:
    """Take over a log; waits for an append that is being committed, and ends one that hangs.

    With the `epoch` that the caller held before, only if nobody took over since: else FencedError.
    """
    try:
        row = await _take(connection, log, owner, epoch, patience_ms)
    except asyncpg.LockNotAvailableError:
        await connection.execute(BREAK)
        row = await _take(connection, log, owner, epoch, patience_ms)
    if row is None:
        if epoch is not None:
            raise FencedError(f"log {log} has a newer writer than epoch {epoch}")
        raise NoSuchLogError(f"log {log} does not exist in this database")
    platform: str | None = await connection.fetchval(PLATFORM, log)
    state = LogState(
        log=log,
        origin=origin,
        size=row["size"],
        frontier=Frontier(row["size"], _split(row["frontier"])),
        last_time=row["last_time"],
        platform=platform,
    )
    return Pen(row["epoch"], row["next_offset"], state)


async def _take(
    connection: AnyConnection, log: int, owner: str, epoch: int | None, patience_ms: int
) -> Any:
    async with connection.transaction():
        await connection.execute(LOCK_TIMEOUT, f"{patience_ms}ms")
        return await connection.fetchrow(TAKE, log, owner, epoch)


async def read_clock(connection: AnyConnection) -> datetime:
    """The database's clock, which dates entries."""
    clock: datetime = await connection.fetchval(CLOCK)
    return clock


async def look_up(
    connection: AnyConnection,
    requests: Collection[Request],
    chains: dict[str, Head],
    funds: dict[str, Fund],
    *,
    with_seals: bool = True,
) -> Known:
    """What is recorded of what the requests name.

    `chains` and `funds` are the writer's own caches: what they lack is read and added. Without
    seals, one that is used twice is found by the append only (see DONOR_SEALS_ONCE).
    """
    ids = {request.id for request in requests}
    ids.update(request.ref for request in requests if request.ref is not None)
    recorded: dict[str, str] = dict(await connection.fetch(RECORDED, list(ids)))
    known_seals: set[str] = set()
    if with_seals:
        seals = [bytes.fromhex(request.donor.seal[:24]) for request in requests if request.donor]
        known_seals.update(row[0] for row in await connection.fetch(SEALS, seals))
    missing = {request.organization for request in requests} - chains.keys()
    if missing:
        for organization, *head in await connection.fetch(CHAINS, list(missing)):
            chains[organization] = Head(*head)
    unknown = {
        fund
        for request in requests
        for posting in request.postings or ()
        if (fund := posting["fund"]) not in funds
    }
    if unknown:
        for id_of_fund, organization, currency in await connection.fetch(FUNDS, list(unknown)):
            funds[id_of_fund] = Fund(organization, currency)
    return Known(chains, funds, recorded, known_seals, await labels.find(connection, requests))


async def append(
    connection: AnyConnection, pen_epoch: int, decision: Decision, next_offset: int
) -> None:
    """Store a decision and the reading position; raises FencedError when the epoch has passed.

    The first statement locks the log's row until the caller's transaction ends.
    """
    state = decision.state
    frontier = b"".join(state.frontier.hashes)
    status = await connection.execute(
        *(ADVANCE, state.log, pen_epoch, next_offset, state.size, frontier, state.last_time)
    )
    if status != "UPDATE 1":
        raise FencedError(f"log {state.log} has a newer writer than epoch {pen_epoch}")
    if not decision.entries:
        return
    await connection.copy_records_to_table(
        "entries", schema_name="ledger", columns=_ENTRY_COLUMNS, records=_entry_rows(decision)
    )
    openings = list(_opening_rows(decision))
    if openings:
        await connection.copy_records_to_table(
            "openings", schema_name="ledger", columns=_OPENING_COLUMNS, records=openings
        )
    await _settle(connection, decision)
    await connection.execute(TELL)


async def _settle(connection: AnyConnection, decision: Decision) -> None:
    heads = decision.chains
    await connection.execute(
        MOVE_HEADS,
        list(heads),
        [head.log for head in heads.values()],
        [head.seq for head in heads.values()],
        [head.leaf_hash for head in heads.values()],
    )
    funds = decision.funds
    if funds:
        await connection.execute(
            SETTLE_FUNDS,
            list(funds),
            [fund.organization for fund in funds.values()],
            [fund.currency for fund in funds.values()],
        )
    balances = decision.balances
    if balances:
        columns: Iterable[tuple[str, ...]] = zip(*balances, strict=True)
        amounts = list(balances.values())
        await connection.execute(ADD_TO_BALANCES, *map(list, columns), amounts)
    await labels.keep(connection, decision.labels)


def _entry_rows(decision: Decision) -> Iterable[tuple[Any, ...]]:
    log, time = decision.state.log, decision.time
    for entry in decision.entries:
        request, composed = entry.request, entry.composed
        yield (
            log,
            entry.index,
            request.organization,
            entry.seq,
            request.id,
            request.kind,
            composed.data,
            composed.leaf_hash,
            bytes.fromhex(request.donor.seal) if request.donor else None,
            request.subject,
            time,
        )


def _opening_rows(decision: Decision) -> Iterable[tuple[Any, ...]]:
    for entry in decision.entries:
        for opening in entry.composed.openings:
            yield (entry.request.organization, entry.request.id, *opening)


def _split(frontier: bytes) -> list[bytes]:
    return [frontier[i : i + HASH_BYTES] for i in range(0, len(frontier), HASH_BYTES)]
