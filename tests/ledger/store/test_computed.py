"""What the writer computes its own entries from."""

from datetime import date, timedelta

from ledger.projection import Reader
from ledger.store import computed, pen, projections
from tests.ledger.database import Database, append
from tests.ledger.making import NOON, ORIGIN, donation, genesis, name

PLATFORM = name("org", "P")
MARCH, APRIL = date(2027, 3, 1), date(2027, 4, 1)


async def fill(database: Database, number: int) -> list[str]:
    """So many organizations with a gift in March, and one gift in April."""
    organizations = sorted(name("org", n) for n in range(number))
    async with database.connect("bookkeeping") as connection:
        held = await pen.take(connection, 0, ORIGIN, "test")
        requests = [genesis(one) for one in (PLATFORM, *organizations)]
        requests += [donation(one, one) for one in organizations]
        await append(connection, held, requests, NOON)
        held = await pen.take(connection, 0, ORIGIN, "test")
        later = [donation(organizations[0], "april")]
        await append(connection, held, later, NOON + timedelta(days=31))
    return organizations


async def project(database: Database, entries_max: int) -> None:
    async with database.connect("books") as connection:
        start = await projections.cursor(connection, 0)
        await projections.advance(connection, 0, start, entries_max, Reader())


async def test_a_month_is_summed_up_when_no_entry_of_it_is_left(database: Database) -> None:
    async with database.connect("bookkeeping") as connection:
        assert await computed.is_summed_up(connection, 0, MARCH), "nothing is recorded"
        await fill(database, 3)
        assert not await computed.is_summed_up(connection, 0, MARCH)
        await project(database, 6)
        assert not await computed.is_summed_up(connection, 0, MARCH), "one is left"
        await project(database, 1)
        assert await computed.is_summed_up(connection, 0, MARCH)
        assert not await computed.is_summed_up(connection, 0, APRIL)
        await project(database, 1)
        assert await computed.is_summed_up(connection, 0, APRIL)


async def test_figures_come_by_organization_a_bounded_number_at_once(database: Database) -> None:
    organizations = await fill(database, 5)
    await project(database, 100)
    async with database.connect("bookkeeping") as connection:
        assert await computed.stated(connection, 0) == (MARCH, "")
        seen: list[str] = []
        after = ""
        while some := await computed.figures(connection, 0, MARCH, after, 2):
            assert len(some) <= 2
            assert all([one.entries for one in figures] == [1] for figures in some.values())
            seen += some
            after = seen[-1]
            await computed.state(connection, 0, MARCH, after)
            assert await computed.stated(connection, 0) == (MARCH, after)
        assert seen == organizations
        await computed.state(connection, 0, MARCH, None)
        assert await computed.stated(connection, 0) == (APRIL, "")


async def test_nothing_is_due_in_an_empty_log(database: Database) -> None:
    async with database.connect("bookkeeping") as connection:
        assert await computed.stated(connection, 0) is None
        assert await computed.last_census(connection, 0) is None
