"""Money that moves without a gift, through the running writer."""

import random
from datetime import UTC, datetime

from contracts.entries import EntryRequested
from contracts.identifiers import random_id, time_of, type_id
from contracts.message import Envelope
from ledger import movements
from ledger.movements import Movement, Place, Sum, Terms
from tests.ledger.database import until
from tests.ledger.making import name
from tests.workers.ledger_stand import Stand, entry_id, genesis, gift
from topics.registry import ENTRIES_REQUESTED

SHOWN = Terms("public_full")


def message(movement: Movement) -> Envelope[EntryRequested]:
    return Envelope(
        id=movement.id,
        type=ENTRIES_REQUESTED.name,
        time=time_of(movement.id),
        organization=movement.organization,
        cause=None,
        body=movement.body,
    )


async def balances(stand: Stand, fund: str) -> dict[str, int]:
    sql = "SELECT account, currency, amount FROM ledger.balances WHERE fund = $1 AND amount <> 0"
    return {f"{row[0]} {row[1]}": int(row[2]) for row in await stand.database.fetch(sql, fund)}


async def test_allocation_exchange_transfer_and_reversal_end_in_the_right_balances(
    stand: Stand,
) -> None:
    number = random.SystemRandom().getrandbits(64)
    platform, a, b = (name("org", f"{letter}{number}") for letter in "PAB")
    now = datetime.now(UTC)
    home = Place(name("fund", a), "Assets:Stripe")
    other, abroad = (Place(name("fund", f"{a}{n}"), "Assets:Bank") for n in range(2))
    theirs = Place(name("fund", b), "Assets:Bank")
    given, wrong = gift(a, 1), gift(a, 2)
    moved = movements.allocation(random_id(now), a, home, other, Sum(900, "EUR"), SHOWN)
    sold, bought = Sum(400, "EUR"), Sum(431, "USD")
    changed = movements.exchange(random_id(now), a, other, sold, abroad, bought, SHOWN)
    transfer = type_id("tra", random_id(now))
    out, into = movements.transfer(
        transfer, a, home, b, theirs, Sum(600, "EUR"), (SHOWN, Terms("internal_only"))
    )
    money = {"postings": [line.model_dump() for line in wrong.body.postings or ()]}
    writer = await stand.start("bookkeeping")
    await stand.publish([message(into), genesis(platform), genesis(a), given, wrong])
    await stand.recorded(4)
    waiting = "SELECT waits_for = $1 FROM ledger.waiting"
    await until(lambda: stand.database.value(waiting, b), "a side waits for its genesis")
    text = await stand.database.value(
        "SELECT bytes FROM ledger.entries WHERE id = $1", entry_id(wrong)
    )
    undone = movements.reversal(random_id(now), text, money, {"reason": "entered-twice"})
    await stand.publish([message(one) for one in (undone, moved, changed)])
    await stand.recorded(7)
    await stand.publish([genesis(b)])
    await stand.recorded(8)
    await until(
        lambda: stand.database.value(waiting, entry_id(message(out))), "it waits for the other side"
    )
    assert await balances(stand, theirs.fund) == {}
    await stand.stop(writer)
    await stand.start("bookkeeping")
    await stand.publish([message(out), message(into), message(out)])
    recorded = await stand.recorded(10)
    assert recorded[8:] == [entry_id(message(out)), entry_id(message(into))]
    assert await stand.database.value("SELECT count(*) FROM ledger.waiting") == 0
    assert await balances(stand, home.fund) == {
        "Assets:Stripe EUR": 2500 - 900 - 600,
        "Equity:Allocations EUR": 900,
        "Expenses:Transfers EUR": 600,
        "Income:Donations EUR": -2500,
    }
    assert await balances(stand, other.fund) == {
        "Assets:Bank EUR": 500,
        "Equity:Allocations EUR": -900,
        "Equity:Conversion EUR": 400,
    }
    assert await balances(stand, abroad.fund) == {
        "Assets:Bank USD": 431,
        "Equity:Conversion USD": -431,
    }
    assert await balances(stand, theirs.fund) == {
        "Assets:Bank EUR": 600,
        "Income:Transfers EUR": -600,
    }


async def test_sides_that_do_not_match_are_both_refused_and_nothing_is_recorded(
    stand: Stand,
) -> None:
    number = random.SystemRandom().getrandbits(64)
    platform, a = (name("org", f"{letter}{number}") for letter in "PA")
    transfer = type_id("tra", random_id(datetime.now(UTC)))
    places = (Place(name("fund", platform), "Assets:Bank"), Place(name("fund", a), "Assets:Bank"))
    out, _ = movements.transfer(
        *(transfer, platform, places[0], a, places[1], Sum(600, "EUR"), (SHOWN, SHOWN))
    )
    _, into = movements.transfer(
        *(transfer, platform, places[0], a, places[1], Sum(601, "EUR"), (SHOWN, SHOWN))
    )
    await stand.start("bookkeeping")
    await stand.publish([genesis(platform), genesis(a), message(out)])
    await stand.recorded(2)
    await stand.publish([message(into)])
    dead = "SELECT count(*) = 2 FROM messages.set_aside WHERE code = 'unmatched_transfer'"
    await until(lambda: stand.database.value(dead), "both sides are set aside")
    assert await stand.database.value("SELECT count(*) FROM ledger.entries") == 2
    assert await stand.database.value("SELECT count(*) FROM ledger.waiting") == 0


async def test_a_message_that_the_database_refuses_parts_no_transfer(stand: Stand) -> None:
    """The batch is halved to find it: what waits in one half is released by the other."""
    number = random.SystemRandom().getrandbits(64)
    platform, a = (name("org", f"{letter}{number}") for letter in "PA")
    transfer = type_id("tra", random_id(datetime.now(UTC)))
    source, target = (Place(name("fund", of), "Assets:Bank") for of in (platform, a))
    out, into = movements.transfer(
        *(transfer, platform, source, a, target, Sum(600, "EUR"), (SHOWN, SHOWN))
    )
    first = gift(a, 1)
    refund = gift(a, 2, kind="refund", donor=None, ref=entry_id(first))
    poison = gift(a, 3, subject="don\0")
    geneses = [genesis(platform), genesis(a)]
    # All are in the topic before the writer comes, so they are one batch.
    await stand.publish([*geneses, message(into), refund, poison, message(out), first])
    await stand.start("bookkeeping")
    recorded = await stand.recorded(6)
    expected = [*geneses, message(into), refund, message(out), first]
    assert sorted(recorded) == sorted(map(entry_id, expected))
    assert await stand.database.value("SELECT count(*) FROM ledger.waiting") == 0
    refused = "SELECT code FROM messages.set_aside"
    await until(lambda: stand.database.value(refused), "the poison is set aside")
