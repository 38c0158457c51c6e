"""One account compared with the ledger, movement by movement and in its sums.

Stripe's list is read and judged page by page; what was booked and is not in the list is asked for
by id. Then Stripe's balance must be the sum of Stripe's movements: it is read again while new ones
come in. All that was found is kept in one transaction, with the looks that heal it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from topics import outbox
from topics.outbox import AnyConnection
from workers.gateways.database import Pool, tenant
from workers.gateways.stripe_listing import Listing, Movement, Source, UnreachableError
from workers.gateways.stripe_objects import Missing
from workers.reconciliation import decisions
from workers.reconciliation.comparison import Comparison, Row, rows_of
from workers.reconciliation.decisions import Item
from workers.reconciliation.looks import NAME, account_look, look_message
from workers.reconciliation.store import reading, runs
from workers.reconciliation.store.reading import Account
from workers.runtime.worker import Refused, Transient

#: Everything is compared anew after this time, in between the newest days.
WHOLE_EVERY: Final = timedelta(hours=24)
#: How often a balance is read again because money moved in between.
BALANCES_MAX: Final = 5

_log = structlog.get_logger(NAME)


@dataclass(frozen=True, slots=True)
class Resources:
    """Open for the life of the process."""

    pool: Pool
    listing: Listing


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to. `waiting` are movements that a look, or the ledger's writer, heals."""

    run: int
    outcome: str
    is_whole: bool = False
    waiting: tuple[Item, ...] = ()


async def reconcile(
    resources: Resources,
    account: Account,
    *,
    whole: bool = False,
    since: datetime | None = None,
    at_once: bool = False,
) -> Result:
    """Compare an account and keep what was found.

    `whole` compares everything; else `since` on, or what the newest run left open. `at_once` asks
    for looks however lately the last one was.
    """
    started_at = datetime.now(UTC)
    if not whole and since is None:
        since = await _start(resources.pool, account)
    try:
        comparison, balance = await _compare(resources, account, None if whole else since)
    except UnreachableError as error:
        return await _keep_unreachable(resources, account, str(error), started_at)
    except (Transient, Refused) as error:
        reason = error.reason if isinstance(error, Refused) else str(error)
        async with tenant(resources.pool, account.organization) as connection:
            run = await runs.begin(connection, account, "failed", started_at, reason=reason)
        _log.warning("account_not_compared", account=account.account, reason=reason)
        return Result(run, "failed")
    async with tenant(resources.pool, account.organization) as connection:
        return await _keep(
            *(connection, account, comparison, balance),
            since=None if whole else since,
            started_at=started_at,
            at_once=at_once,
        )


async def _start(pool: Pool, account: Account) -> datetime | None:
    async with pool.acquire() as connection:
        newest, oldest_open, whole_at = await runs.covered(connection, account.account)
    if newest is None or whole_at is None or datetime.now(UTC) - whole_at >= WHOLE_EVERY:
        return None
    return decisions.window_start(newest, oldest_open)


async def _compare(
    resources: Resources, account: Account, since: datetime | None
) -> tuple[Comparison, dict[str, int]]:
    comparison, seen = Comparison(), set[str]()
    listing, name = resources.listing, account.account
    newest = since
    async for page in listing.movements(name, since):
        newest = _newest(page, newest)
        comparison.add(await _judge(resources, account, _unseen(page, seen)))
    for _ in range(BALANCES_MAX):
        balance = await listing.balance(name)
        late: list[Movement] = []
        async for page in listing.movements(name, newest):
            late += _unseen(page, seen)
        if not late:
            break
        comparison.add(await _judge(resources, account, late))
    await _add_unlisted(resources, account, since, seen, comparison)
    return comparison, balance


def _newest(page: Iterable[Movement], known: datetime | None) -> datetime | None:
    times = [one.created for one in page] + ([] if known is None else [known])
    return max(times, default=None)


def _unseen(page: Iterable[Movement], seen: set[str]) -> list[Movement]:
    """What of a page was not judged yet: a list that grows meanwhile shows some twice."""
    fresh = [one for one in page if one.id not in seen]
    seen.update(one.id for one in fresh)
    return fresh


async def _judge(resources: Resources, account: Account, page: Sequence[Movement]) -> list[Item]:
    if not page:
        return []
    ids = [one.id for one in page]
    async with tenant(resources.pool, account.organization) as connection:
        booked = await reading.booked(connection, account.account, ids)
        known = await runs.known_foreign(connection, account.account, ids)
        parts = await reading.foreign_parts(connection, account.account, ids)
    charges: dict[str, Source | None] = {}
    items = []
    for one in page:
        reason = known.get(one.id) or (decisions.SHARED if one.id in parts else None)
        if one.id not in booked and reason is None:
            charge = await _charge_of(resources.listing, account, one, charges)
            reason = decisions.foreign_reason(charge, account.organization)
        items.append(decisions.judge(one, booked.get(one.id), reason, parts.get(one.id, 0)))
    return items


async def _charge_of(
    listing: Listing, account: Account, one: Movement, known: dict[str, Source | None]
) -> Source | None:
    """The charge that a movement is about, if it is about one."""
    source = one.object
    if source is None or source.kind == "charge":
        return source
    if source.kind not in decisions.ABOUT_A_CHARGE or source.charge is None:
        return None
    if source.charge not in known:
        found = await listing.source_charge(account.account, source.charge)
        known[source.charge] = None if isinstance(found, Missing) else found
    return known[source.charge]


async def _add_unlisted(
    resources: Resources,
    account: Account,
    since: datetime | None,
    seen: set[str],
    comparison: Comparison,
) -> None:
    """Judge what was booked of these days and is not in Stripe's list."""
    after = ""
    while True:
        async with tenant(resources.pool, account.organization) as connection:
            ids = await reading.booked_ids(connection, account.account, since, after)
            unlisted = [one for one in ids if one not in seen]
            booked = await reading.booked(connection, account.account, unlisted)
        for one in unlisted:
            found = await resources.listing.movement(account.account, one)
            if isinstance(found, Missing):
                comparison.add([decisions.judge(None, booked[one])])
            elif since is None or found.created >= since:
                comparison.add([decisions.judge(found, booked[one])])
        if len(ids) < reading.IDS_AT_ONCE:
            return
        after = ids[-1]


async def _keep(
    connection: AnyConnection,
    account: Account,
    comparison: Comparison,
    balance: dict[str, int],
    *,
    since: datetime | None,
    started_at: datetime,
    at_once: bool,
) -> Result:
    key = (account.organization, account.account)
    items = comparison.items.values()
    await runs.lock(connection, account.account)
    rows = [row for item in items for row in rows_of(item)]
    await runs.keep_items(connection, *key, rows, about_movements=True, since=since)
    await runs.keep_days(connection, account, since, comparison.days)
    wrong = await runs.keep_sums(connection, account, balance, started_at)
    await runs.keep_items(connection, *key, wrong, about_movements=False)
    outcome = "differs" if await runs.differs(connection, *key) else "agreed"
    run = await runs.begin(
        *(connection, account, outcome, started_at),
        since=since,
        movements=comparison.movements,
    )
    looks = {item.id: look for item in items if (look := decisions.look_at(account.account, item))}
    due = await runs.take_looks(connection, account, list(looks), at_once=at_once)
    now = datetime.now(UTC)
    records = [look_message(account.organization, looks[one], now) for one in sorted(due)]
    await outbox.queue(connection, records)
    waiting = tuple(item for item in items if item.of_class == "missing_here")
    return Result(run, outcome, since is None, waiting)


async def _keep_unreachable(
    resources: Resources, account: Account, reason: str, started_at: datetime
) -> Result:
    """An account that nobody may look at agrees with nothing; what was open stays open."""
    row = Row(subject="account", of_class="unreachable", reason="access_revoked")
    async with tenant(resources.pool, account.organization) as connection:
        await runs.lock(connection, account.account)
        await runs.keep_items(
            *(connection, account.organization, account.account, [row]), about_movements=False
        )
        run = await runs.begin(connection, account, "unreachable", started_at, reason=reason)
        if await runs.take_looks(connection, account, ["account"], at_once=False):
            now = datetime.now(UTC)
            look = account_look(account.organization, account.account, now)
            await outbox.queue(connection, [look])
    return Result(run, "unreachable")


async def check_ledger(resources: Resources, organization: str) -> bool:
    """Whether the ledger's `Assets:Stripe` is what its movements come to, in each currency.

    What is not is kept as a difference of the organization, whichever account it is about.
    """
    async with tenant(resources.pool, organization) as connection:
        await runs.lock(connection, organization)
        rows = [
            Row(
                subject=f"ledger:{total.currency}",
                of_class="differs",
                reason="entries_without_movement",
                currency=total.currency,
                stripe=(None, None, total.moved_minor),
                ledger=(None, None, total.ledger_minor),
            )
            for total in await reading.ledger_totals(connection, organization)
            if total.ledger_minor != total.moved_minor
        ]
        await runs.keep_items(connection, organization, None, rows, about_movements=False)
    return not rows
