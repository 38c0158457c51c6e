"""The process that keeps the books, beside a real writer and publisher."""

import random

from prometheus_client import REGISTRY

from ledger.findings import Findings
from ledger.store.checking import Report
from tests.ledger.database import until
from tests.ledger.making import name
from tests.workers.ledger_stand import Stand, genesis, gift
from workers.books.checker import tell


async def test_it_sums_up_and_finds_what_somebody_changed(stand: Stand) -> None:
    platform = name("org", random.SystemRandom().getrandbits(64))
    await stand.start("bookkeeping")
    await stand.start("checkpoints")
    await stand.start("books", AMPLY_CHECK_S="0.2")
    await stand.publish([genesis(platform), *(gift(platform, number) for number in range(9))])
    await stand.published(10)
    caught_up = "SELECT index = 10 FROM ledger.projected"
    await until(lambda: stand.database.value(caught_up), "everything is summed up")
    assert await stand.database.value("SELECT sum(gifts) FROM ledger.monthly_figures") == 9

    async def checked() -> bool:
        return stand.events().count("ledger_checked") > 3

    await until(checked, "the ledger was checked a few times")
    assert "ledger_differs" not in stand.events()
    await stand.database.fetch("UPDATE ledger.balances SET amount = 2 * amount")

    async def found() -> bool:
        return "ledger_differs" in stand.events()

    await until(found, "the difference is found")
    assert "Assets:Stripe EUR: 45000 is stored, the entries give 22500" in stand.logs()


async def test_a_lost_opening_is_told_until_it_is_back(stand: Stand) -> None:
    platform = name("org", random.SystemRandom().getrandbits(64))
    await stand.start("bookkeeping")
    await stand.publish([genesis(platform), gift(platform, 1, visibility="internal_only")])
    await stand.recorded(2)
    async with stand.database.connect() as connection:
        await connection.execute("CREATE TABLE public.kept AS SELECT * FROM ledger.openings")
        await connection.execute("DELETE FROM ledger.openings")
        await stand.start("books")

        async def stopped() -> bool:
            return "sums_stopped" in stand.events()

        await until(stopped, "the sums stop")
        assert await connection.fetchval("SELECT index FROM ledger.projected") == 0
        await connection.execute("INSERT INTO ledger.openings SELECT * FROM public.kept")
    caught_up = "SELECT index = 2 FROM ledger.projected"
    await until(lambda: stand.database.value(caught_up), "everything is summed up")


def test_the_alarm_says_what_the_last_check_found() -> None:
    findings = Findings()
    tell(Report(0, findings))
    assert REGISTRY.get_sample_value("ledger_check_alarm") == 0
    findings.add("fund", "it differs")
    tell(Report(0, findings, entries=3))
    assert REGISTRY.get_sample_value("ledger_check_alarm") == 1
    assert REGISTRY.get_sample_value("ledger_check_differences") == 1
    assert REGISTRY.get_sample_value("ledger_check_entries") == 3
