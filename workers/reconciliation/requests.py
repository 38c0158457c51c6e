"""A run that somebody asked for: everything compared now, with time for the looks to heal it."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from datetime import UTC, datetime, time
from typing import Any, Final, TypeVar
from uuid import UUID

from workers.gateways.database import tenant
from workers.reconciliation.account import Resources, Result, check_ledger, reconcile
from workers.reconciliation.decisions import Item
from workers.reconciliation.store import healing, reading
from workers.reconciliation.store.reading import Account

T = TypeVar("T")

#: How long a requested run waits for what it asked to be looked at: booked, and recorded.
SETTLE_S: Final = 20.0
LOOK_S: Final = 0.5
ACCOUNTS_AT_ONCE: Final = 4


async def answer(
    resources: Resources, request: UUID, organization: str | None, settle_s: float = SETTLE_S
) -> list[Result]:
    """Compare an organization's accounts, or all; keep which runs answered the request."""
    async with resources.pool.acquire() as connection:
        accounts = await reading.accounts(connection, organization)
    turns = asyncio.Semaphore(ACCOUNTS_AT_ONCE)

    async def compare(account: Account) -> Result:
        async with turns:
            return await compare_and_settle(resources, account, settle_s)

    results = await all_of(map(compare, accounts))
    organizations = {account.organization for account in accounts} | {organization}
    for one in sorted(filter(None, organizations)):
        await check_ledger(resources, one)
    async with resources.pool.acquire() as connection, connection.transaction():
        await healing.finish_request(connection, request, [one.run for one in results])
    return results


async def all_of(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What all of it came to, once all of it ended; the first failure, if there was one."""
    ended = await asyncio.gather(*work, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException):
            raise one
    return [one for one in ended if not isinstance(one, BaseException)]


async def compare_and_settle(resources: Resources, account: Account, settle_s: float) -> Result:
    """Compare everything; what is missing here is looked at again once it was booked."""
    result = await reconcile(resources, account, whole=True, at_once=True)
    if not result.waiting or not await _settled(resources, account, result.waiting, settle_s):
        return result
    oldest = min(item.at for item in result.waiting).astimezone(UTC)
    since = datetime.combine(oldest.date(), time(), UTC)
    return await reconcile(resources, account, since=since)


async def _settled(
    resources: Resources, account: Account, waiting: Sequence[Item], settle_s: float
) -> bool:
    """Wait until all of these are recorded; whether any is by the end of the time."""
    ids = [item.id for item in waiting]
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settle_s
    while True:
        async with tenant(resources.pool, account.organization) as connection:
            booked = await reading.booked(connection, account.account, ids)
        recorded = [one for one in booked.values() if one.recorded_minor is not None]
        if len(recorded) == len(ids) or loop.time() >= deadline:
            return bool(recorded)
        await asyncio.sleep(LOOK_S)
