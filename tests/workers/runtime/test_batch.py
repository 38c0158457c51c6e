"""Batches on a real database: once in effect, poison found and set aside, the rest goes on."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.workers.runtime import probe
from topics.registry import MESSAGES_REFUSED
from workers.runtime.batch import HaltError

Bench = Callable[[str], Any]


@pytest.mark.parametrize("kind", ["decide", "act"])
async def test_ten_deliveries_and_a_replay_have_one_effect(bench: Bench, kind: str) -> None:
    worker = bench(kind)
    batch = [worker.deliver(number, f"k{number % 3}") for number in range(30)]
    for _ in range(10):
        await worker.batches.settle(batch)
    replayed = [replace(one, offset=one.offset + 1000) for one in batch]
    await worker.batches.settle(replayed + replayed[:5])
    assert sorted(number for _, number in await worker.effects()) == list(range(30))
    assert len(await worker.sent(worker.topic.name + ".next")) == 30
    assert await worker.aside() == []
    if kind == "act":
        assert len(await worker.calls()) == 30, "what was handled is not called for again"


@pytest.mark.parametrize("kind", ["decide", "act"])
@pytest.mark.parametrize(
    ("behaviour", "code"),
    [("refuse", "too_odd"), ("bug", "handler_failed"), ("constraint", "handler_failed")],
)
async def test_a_poisonous_message_dies_and_the_others_go_on(
    bench: Bench, kind: str, behaviour: str, code: str
) -> None:
    worker = bench(kind)
    batch = [worker.deliver(number, f"k{number % 4}") for number in range(20)]
    batch[7] = worker.deliver(7, "k3", behaviour=behaviour)
    await worker.batches.settle(batch)
    await worker.batches.settle(batch)
    expected = [number for number in range(20) if number != 7]
    assert [number for _, number in await worker.effects()] == expected
    ((disposition, found, reason),) = await worker.aside()
    assert (disposition, found) == ("dead", code)
    assert "person" not in reason
    refusals = [
        row
        for row in await worker.sent(MESSAGES_REFUSED.name)
        if worker.name.encode() in row["value"]
    ]
    assert {row["headers"] for row in refusals} == (
        {refusals[0]["headers"]} if behaviour == "refuse" else set()
    )
    assert bool(refusals) is (behaviour == "refuse")


async def test_no_message_is_to_blame_for_a_session_that_ends(bench: Bench) -> None:
    worker = bench("decide")
    await worker.last_words()
    await worker.batches.settle([worker.deliver(1)])
    assert (await worker.effects(), await worker.aside()) == ([("k", 1)], [])


@pytest.mark.parametrize("kind", ["decide", "act"])
async def test_undecodable_records_die_with_their_bytes(bench: Bench, kind: str) -> None:
    worker = bench(kind)
    good = [worker.deliver(number) for number in range(3)]
    strange = [
        replace(worker.deliver(9), value=b"0"),
        replace(worker.deliver(9), value=None),
        replace(worker.deliver(9), headers=()),
        replace(worker.deliver(9), headers=(("ce_id", None), ("x\x00\udcff", b"\xff\x00"))),
        replace(worker.deliver(9), value=b"\xff\xfe", key=b"\x00\xff"),
    ]
    await worker.batches.settle([good[0], *strange[:2], good[1], *strange[2:], good[2]])
    assert [number for _, number in await worker.effects()] == [0, 1, 2]
    aside = await worker.aside()
    assert [(disposition, code) for disposition, code, _ in aside] == [("dead", "undecodable")] * 5
    assert "body" in aside[0][2] and "ce_type" in aside[2][2]


async def test_a_poisonous_message_does_not_change_the_others_order(bench: Bench) -> None:
    worker = bench("decide")
    behaviours = ["succeed", "bug", "succeed", "refuse", "succeed", "constraint", "succeed"]
    batch = [
        worker.deliver(number, behaviour=behaviour) for number, behaviour in enumerate(behaviours)
    ]
    await worker.batches.settle(batch)
    assert await worker.effects() == [("k", 0), ("k", 2), ("k", 4), ("k", 6)]
    assert len(await worker.aside()) == 3


@pytest.mark.parametrize("kind", ["decide", "act"])
async def test_what_cannot_be_done_now_is_parked_with_its_key_and_recovers_in_order(
    bench: Bench, kind: str
) -> None:
    worker = bench(kind)
    stuck, free = f"stuck-{worker.name}", f"free-{worker.name}"
    await worker.outside(stuck, "down")
    first = [worker.deliver(0, free), worker.deliver(1, stuck, behaviour="outside")]
    first += [worker.deliver(2, free), worker.deliver(3, stuck)]
    await worker.batches.settle(first)
    await worker.batches.settle([worker.deliver(4, stuck), worker.deliver(5, free)])
    assert await worker.effects() == [(free, 0), (free, 2), (free, 5)]
    assert {number for key, number in await worker.calls() if key == stuck} <= {1}
    codes = [(disposition, code) for disposition, code, _ in await worker.aside()]
    assert codes == [("parked", "transient"), ("parked", "behind"), ("parked", "behind")]
    assert (await worker.aside())[0][2] == "the outside is down"
    await worker.parked.try_due()
    assert len(await worker.aside()) == 3, "still down"
    await worker.outside(stuck, "up")
    await worker.recover()
    assert [number for key, number in await worker.effects() if key == stuck] == [1, 3, 4]
    await worker.batches.settle(first)
    assert len(await worker.effects()) == 6, "a redelivery after the recovery changes nothing"
    assert await worker.aside() == []


async def test_what_is_away_is_called_for_once_and_parked(bench: Bench) -> None:
    worker = bench("act")
    away, down = f"away-{worker.name}", f"down-{worker.name}"
    await worker.outside(down, "down")
    await worker.batches.settle(
        [worker.deliver(1, away, behaviour="away"), worker.deliver(2, down, behaviour="outside")]
    )
    assert [number for _, number in await worker.calls()].count(1) == 1
    assert [number for _, number in await worker.calls()].count(2) == 2, "tried twice, as usual"
    assert [(row[0], row[1]) for row in await worker.aside()] == [("parked", "transient")] * 2


async def test_a_parked_message_that_turns_out_bad_dies_and_its_key_goes_on(bench: Bench) -> None:
    worker = bench("act")
    key = f"stuck-{worker.name}"
    await worker.outside(key, "down")
    await worker.batches.settle([worker.deliver(1, key, behaviour="outside")])
    await worker.batches.settle(
        [worker.deliver(2, key, behaviour="refuse"), worker.deliver(3, key)]
    )
    await worker.outside(key, "up")
    await worker.recover()
    assert await worker.effects() == [(key, 1), (key, 3)]
    assert [code for _, code, _ in await worker.aside()] == ["too_odd"]
    sent = await worker.sent(MESSAGES_REFUSED.name)
    assert sum(worker.name.encode() in row["value"] for row in sent) == 1


async def test_a_message_is_never_recorded_without_its_call(bench: Bench) -> None:
    worker = bench("act")
    key = f"stuck-{worker.name}"
    await worker.outside(key, "down")
    await worker.batches.settle([worker.deliver(1, key, behaviour="outside")])
    await worker.outside(key, "up")
    make_calls = worker.batches.calls.make

    async def make_calls_while_the_key_recovers(items: Any) -> None:
        await make_calls(items)
        await worker.recover()

    worker.batches.calls.make = make_calls_while_the_key_recovers
    await worker.batches.settle([worker.deliver(2, key), worker.deliver(3, key)])
    assert await worker.effects() == [(key, 1)], "not called when parked, so not recorded"
    worker.batches.calls.make = make_calls
    await worker.recover()
    assert await worker.effects() == [(key, 1), (key, 2), (key, 3)]


async def test_a_missing_grant_halts_and_kills_nothing(bench: Bench) -> None:
    worker = bench("decide")
    batch = [worker.deliver(1), worker.deliver(2, behaviour="forbidden")]
    with pytest.raises(HaltError):
        await worker.batches.settle(batch)
    assert await worker.aside() == []
    assert await worker.effects() == []
    await worker.look.execute("GRANT ALL ON probe.forbidden TO amply_payments")
    await worker.batches.settle(batch)
    await worker.look.execute("REVOKE ALL ON probe.forbidden FROM amply_payments")
    assert await worker.effects() == [("k", 1), ("k", 2)]


async def test_a_transaction_sees_the_organizations_of_its_batch(bench: Bench) -> None:
    worker = bench("decide")
    first, second, _ = probe.ORGANIZATIONS
    await worker.batches.settle(
        [worker.deliver(1, organization=first), worker.deliver(2, organization=second)]
    )
    sql = "SELECT DISTINCT scope FROM probe.effects WHERE worker = $1"
    assert await worker.look.fetchval(sql, worker.name) == f"{first},{second}"


async def test_calls_of_one_key_are_made_in_order_and_the_finished_ones_commit(
    bench: Bench,
) -> None:
    worker = bench("act")
    stuck = f"stuck-{worker.name}"
    await worker.outside(stuck, "down")
    batch = [worker.deliver(number, f"k{number % 2}") for number in range(10)]
    batch.insert(3, worker.deliver(99, stuck, behaviour="outside"))
    await worker.batches.settle(batch)
    for key in ("k0", "k1"):
        numbers = [number for found, number in await worker.calls() if found == key]
        assert numbers == sorted(numbers)
    assert len(await worker.effects()) == 10
    assert [number for _, number in await worker.calls()].count(99) == 2, "attempts_max"
