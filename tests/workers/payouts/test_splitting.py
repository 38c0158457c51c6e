"""How payouts are split over funds: rules, and properties over random accounts."""

import random
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from workers.payouts import splitting
from workers.payouts.splitting import FOREIGN, DoesNotAddUpError, Open, Part

SEED = 20261130
START = datetime(2027, 1, 1, tzinfo=UTC)


def part(transaction: str, fund: str, amount: int, category: str = "charge") -> Part:
    return Part(transaction, fund, category, "ch_" + transaction, amount)


def opened(*parts: Part) -> list[Open]:
    return [Open(each, START + timedelta(days=day)) for day, each in enumerate(parts)]


def test_an_automatic_payout_is_what_stripe_lists() -> None:
    movements = {"t1": [part("t1", "a", 900)], "t2": [part("t2", "b", -300, "refund")]}
    lines = [("t1", "charge", "ch_1"), ("t2", "refund", "re_1")]
    parts = splitting.itemise(lines, movements, {}, 600)
    assert splitting.shares(parts) == {"a": 900, "b": -300}


def test_lines_that_do_not_sum_to_the_payout_are_no_split() -> None:
    with pytest.raises(DoesNotAddUpError):
        splitting.itemise([("t1", "charge", "ch_1")], {"t1": [part("t1", "a", 900)]}, {}, 901)


def test_a_manual_payout_within_an_automatic_one_takes_back_what_it_carried() -> None:
    movements = {"t1": [part("t1", "a", 900)]}
    earlier = {"po_1": [part("t1", "a", 500)]}
    lines = [("t1", "charge", "ch_1"), ("t2", "payout", "po_1")]
    assert splitting.itemise(lines, movements, earlier, 400) == [part("t1", "a", 400)]
    returned = [*lines, ("t3", "payout_reversal", "po_1")]
    assert splitting.itemise(returned, movements, earlier, 900) == [part("t1", "a", 900)]


def test_the_oldest_money_leaves_first_and_the_last_of_it_in_part() -> None:
    unpaid = opened(part("t1", "a", 600), part("t2", "b", 700), part("t3", "c", 100))
    assert splitting.first_in_first_out(unpaid, 800) == [part("t1", "a", 600), part("t2", "b", 200)]


def test_what_lowered_the_balance_is_in_the_payout_whole() -> None:
    unpaid = opened(part("t1", "a", 600), part("t2", "b", 700), part("t3", "c", -100, "refund"))
    taken = splitting.first_in_first_out(unpaid, 800)
    assert splitting.shares(taken) == {"a": 600, "b": 300, "c": -100}


def test_a_payout_beyond_the_balance_leaves_of_what_is_due_later_the_newest_for_the_next() -> None:
    unpaid = opened(
        part("t1", "a", 600),
        part("t2", "a", -500, "refund"),
        part("t3", "b", -60, "refund"),
        part("t4", "a", 500, "refund_failure"),
    )
    taken = splitting.first_in_first_out(unpaid, 570)
    assert {each.balance_transaction: each.amount_minor for each in taken} == {
        "t1": 600,
        "t2": -500,
        "t3": -30,
        "t4": 500,
    }


def test_more_than_is_known_cannot_have_been_paid_out() -> None:
    with pytest.raises(DoesNotAddUpError):
        splitting.first_in_first_out(opened(part("t1", "a", 600)), 601)


def test_money_of_another_shop_belongs_to_no_fund() -> None:
    unpaid = opened(part("t1", FOREIGN, 600), part("t2", "b", 700))
    assert splitting.shares(splitting.first_in_first_out(unpaid, 800)) == {FOREIGN: 600, "b": 200}


@pytest.mark.parametrize("case", range(200))
def test_manual_payouts_sum_to_the_cent_and_carry_no_movement_twice(case: int) -> None:
    chance = random.Random(f"{SEED}/{case}")
    print(f"seed {SEED}/{case}")
    everything: list[Open] = []
    taken: dict[tuple[str, str], int] = defaultdict(int)
    live: list[list[Part]] = []
    for number in range(chance.randint(1, 40)):
        what = chance.random()
        if what < 0.6:
            amount = chance.randint(1, 10_000) * chance.choice([1, 1, 1, -1])
            fund = chance.choice(["a", "b", "c", FOREIGN])
            everything += [
                replace(each, occurred_at=START + timedelta(days=number))
                for each in opened(part(f"t{number}", fund, amount))
            ]
        elif what < 0.9:
            unpaid = [
                replace(each, part=replace(each.part, amount_minor=left))
                for each in everything
                if (
                    left := each.part.amount_minor
                    - taken[each.part.balance_transaction, each.part.fund]
                )
            ]
            income = sum(max(each.part.amount_minor, 0) for each in unpaid)
            if income == 0:
                continue
            # More than the balance too: what lowers it may be due later than what is paid out.
            total = chance.randint(1, income)
            parts = splitting.first_in_first_out(chance.sample(unpaid, len(unpaid)), total)
            assert sum(each.amount_minor for each in parts) == total
            assert sum(splitting.shares(parts).values()) == total
            for each in parts:
                taken[each.balance_transaction, each.fund] += each.amount_minor
            live.append(parts)
        elif live:
            for each in live.pop(chance.randrange(len(live))):
                taken[each.balance_transaction, each.fund] -= each.amount_minor
        for moved in everything:
            net = moved.part.amount_minor
            used = taken[moved.part.balance_transaction, moved.part.fund]
            assert min(net, 0) <= used <= max(net, 0)


@pytest.mark.parametrize("case", range(100))
def test_allotted_shares_sum_to_the_amount_and_follow_the_weights(case: int) -> None:
    chance = random.Random(f"{SEED}/allot/{case}")
    weights = {name: chance.randint(-50, 1000) for name in "abcdef"[: chance.randint(1, 6)]}
    amount = chance.randint(-5000, 5000)
    shares = splitting.allot(amount, weights)
    assert sum(shares.values()) == amount
    whole = sum(max(weight, 0) for weight in weights.values())
    for name, weight in weights.items():
        if whole:
            assert abs(shares[name] * whole - amount * max(weight, 0)) <= whole
