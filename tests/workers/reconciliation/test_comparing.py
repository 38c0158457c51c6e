"""An account at the sandbox compared with rows and entries in PostgreSQL, by its own role."""

from typing import Any

import asyncpg
import pytest

from tests.ledger.making import donation, postings
from tests.workers.bench import new
from tests.workers.reconciliation.conftest import Scene
from workers.gateways.stripe_listing import Listing
from workers.reconciliation.account import check_ledger, reconcile


async def looks(scene: Scene) -> list[tuple[str, str, str]]:
    return [
        (message.type, message.body.object, message.body.reason)
        for message in await scene.bench.sent()
    ]


async def test_both_sides_agree_once_everything_is_booked(scene: Scene) -> None:
    for amount in (2500, 731, 99_999):
        await scene.book(await scene.charge(amount=amount))
    result = await reconcile(scene.resources, scene.known, whole=True)
    assert (result.outcome, await scene.items()) == ("agreed", [])
    sums = await scene.sums()
    assert sums["balance_minor"] == sums["movements_minor"] == sums["ledger_minor"]
    assert sums["balance_minor"] == await scene.balance()
    assert await check_ledger(scene.resources, scene.organization)
    assert await looks(scene) == []


async def test_what_is_missing_here_is_looked_at_and_heals_when_it_was_booked(scene: Scene) -> None:
    charge = await scene.charge()
    result = await reconcile(scene.resources, scene.known)
    moved = charge["balance_transaction"]
    assert result.outcome == "differs"
    [item] = await scene.items()
    assert (item["subject"], item["class"], item["reason"]) == (
        *(moved["id"], "missing_here", "not_booked"),
    )
    assert (item["stripe_net_minor"], item["ledger_net_minor"]) == (moved["net"], None)
    assert await looks(scene) == [("payments.look_requested.v1", charge["id"], "unbooked_movement")]
    assert (await scene.sums())["different_minor"] == moved["net"]

    await reconcile(scene.resources, scene.known)
    assert await looks(scene) == [], "the next look is due later"
    await scene.book(charge)
    assert (await reconcile(scene.resources, scene.known)).outcome == "agreed"
    assert await scene.items() == []
    [healed] = await scene.items(healed=True)
    assert (healed["id"], healed["opened_at"]) == (item["id"], item["opened_at"])
    assert (await scene.sums())["different_minor"] == 0


async def test_an_entry_that_waits_counts_as_missing_and_needs_no_look(scene: Scene) -> None:
    charge, entry = await scene.charge(), new("ent")
    await scene.row(charge, entry)
    result = await reconcile(scene.resources, scene.known)
    moved = charge["balance_transaction"]
    assert result.outcome == "differs"
    assert await scene.classes() == {moved["id"]: ("missing_here", "not_recorded")}
    assert await looks(scene) == []
    assert (await scene.sums())["ledger_minor"] == 0
    await scene.entry(entry, moved["net"])
    assert (await reconcile(scene.resources, scene.known)).outcome == "agreed"


async def test_charges_of_others_are_kept_with_their_reason_and_explained(scene: Scene) -> None:
    await scene.book(await scene.charge())
    shop = await scene.charge(amount=4200, order="17")
    forged = await scene.charge(donation="don_of_somebody", organization=scene.organization)
    other = await scene.charge(donation=new("don"), organization=new("org"))
    result = await reconcile(scene.resources, scene.known)
    assert result.outcome == "agreed"
    assert await scene.classes() == {
        shop["balance_transaction"]["id"]: ("foreign", "no_donation"),
        forged["balance_transaction"]["id"]: ("foreign", "no_donation"),
        other["balance_transaction"]["id"]: ("foreign", "account_mismatch"),
    }
    sums = await scene.sums()
    nets = [each["balance_transaction"]["net"] for each in (shop, forged, other)]
    assert sums["foreign_minor"] == sum(nets)
    assert sums["balance_minor"] == sums["ledger_minor"] + sums["foreign_minor"]
    assert await looks(scene) == []


async def test_a_doctored_row_differs_and_both_sides_are_shown(scene: Scene) -> None:
    charge = await scene.charge()
    moved = charge["balance_transaction"]
    entry = await scene.book(charge, fee=moved["fee"] - 7, net=moved["net"] + 7)
    result = await reconcile(scene.resources, scene.known)
    [item] = await scene.items()
    assert (result.outcome, item["class"], item["reason"]) == ("differs", "differs", "figures")
    assert item["entry"] == entry
    assert [item[f"stripe_{name}_minor"] for name in ("amount", "fee", "net")] == [
        *(moved["amount"], moved["fee"], moved["net"]),
    ]
    assert [item[f"ledger_{name}_minor"] for name in ("amount", "fee", "net")] == [
        *(moved["amount"], moved["fee"] - 7, moved["net"]),
    ]
    assert await looks(scene) == [], "what is booked is never booked again"
    assert not await check_ledger(scene.resources, scene.organization)


async def test_an_entry_that_moved_another_amount_differs(scene: Scene) -> None:
    charge, entry = await scene.charge(), new("ent")
    moved = charge["balance_transaction"]
    await scene.row(charge, entry)
    await scene.entry(entry, moved["net"] - 1, visibility="internal_only")
    result = await reconcile(scene.resources, scene.known)
    [item] = await scene.items()
    assert (result.outcome, item["class"], item["reason"]) == ("differs", "differs", "entry")
    assert (item["stripe_net_minor"], item["ledger_net_minor"]) == (moved["net"], moved["net"] - 1)
    assert (await scene.sums())["different_minor"] == 1


async def test_what_stripe_does_not_know_is_missing_there(scene: Scene) -> None:
    charge = await scene.charge()
    await scene.book(charge)
    entry = new("ent")
    await scene.row(charge, entry, id="txn_invented", source="ch_invented")
    await scene.entry(entry, charge["balance_transaction"]["net"])
    result = await reconcile(scene.resources, scene.known)
    assert result.outcome == "differs"
    assert await scene.classes() == {"txn_invented": ("missing_there", "not_at_stripe")}
    sums = await scene.sums()
    assert sums["different_minor"] == -charge["balance_transaction"]["net"]
    assert sums["balance_minor"] == sums["ledger_minor"] + sums["different_minor"]


async def test_a_payout_on_its_way_is_in_transit_and_missing_once_it_was_paid(scene: Scene) -> None:
    await scene.book(await scene.charge())
    payout = await scene.payout(1000)
    assert (await reconcile(scene.resources, scene.known)).outcome == "agreed"
    assert set((await scene.classes()).values()) == {("in_transit", "pending")}
    sums = await scene.sums()
    assert sums["in_transit_minor"] == -1000
    assert sums["balance_minor"] == sums["ledger_minor"] - 1000
    await scene.sandbox.control(f"payouts/{payout['id']}", status="paid")
    assert (await reconcile(scene.resources, scene.known)).outcome == "differs"
    assert set((await scene.classes()).values()) == {("missing_here", "not_booked")}
    assert await looks(scene) == [("payouts.look_requested.v1", payout["id"], "unbooked_movement")]


async def test_an_account_that_refuses_access_agrees_with_nothing(scene: Scene) -> None:
    charge = await scene.charge()
    await reconcile(scene.resources, scene.known)
    await scene.sandbox.control(f"accounts/{scene.account}/deauthorize")
    result = await reconcile(scene.resources, scene.known)
    assert result.outcome == "unreachable"
    assert await scene.classes() == {
        charge["balance_transaction"]["id"]: ("missing_here", "not_booked"),
        "account": ("unreachable", "access_revoked"),
    }
    [_, look] = await scene.bench.sent()
    assert (look.type, look.body.action, look.body.account) == (
        *("accounts.requested.v1", "look", scene.account),
    )


async def test_entries_that_no_movement_asked_for_are_found(scene: Scene) -> None:
    await scene.book(await scene.charge())
    assert await check_ledger(scene.resources, scene.organization)
    await scene.entry(new("ent"), 1)
    assert not await check_ledger(scene.resources, scene.organization)
    [item] = await scene.items()
    assert (item["account"], item["subject"]) == (None, "ledger:EUR")
    assert item["ledger_net_minor"] - item["stripe_net_minor"] == 1


async def test_long_lists_are_read_to_their_end(scene: Scene, monkeypatch: Any) -> None:
    monkeypatch.setattr("workers.gateways.stripe_listing.PAGE", 2)
    monkeypatch.setattr("workers.reconciliation.store.reading.IDS_AT_ONCE", 2)
    for _ in range(5):
        await scene.book(await scene.charge())
    await scene.charge()
    result = await reconcile(scene.resources, scene.known, whole=True)
    assert (result.outcome, len(result.waiting)) == ("differs", 1)
    sums = await scene.sums()
    assert sums["balance_minor"] == sums["movements_minor"] == await scene.balance()


@pytest.mark.parametrize("moved_minor", [0, 1])
async def test_a_movement_over_two_funds_agrees_when_each_fund_does(
    scene: Scene, moved_minor: int
) -> None:
    charge, entry, second = await scene.charge(), new("ent"), new("fund")
    moved = charge["balance_transaction"]
    part = moved["net"] // 3
    rest = moved["net"] - part
    await scene.row(charge, entry, amount=part, fee=0, net=part)
    changes = {"amount": moved["amount"] - part, "net": rest, "fund": second}
    await scene.row(charge, entry, **changes)
    lines = postings(part + moved_minor, scene.fund) + postings(rest - moved_minor, second)
    await scene.bench.fetch(
        "INSERT INTO edge.funds (id, organization, name, currency) VALUES ($1, $2, 'B', 'EUR')",
        *(second, scene.organization),
    )
    await scene.record(donation(scene.organization, entry, id=entry, postings=lines))
    result = await reconcile(scene.resources, scene.known)
    told = set((await scene.classes()).values())
    assert (result.outcome, told) == (
        ("differs", {("differs", "entry")}) if moved_minor else ("agreed", set())
    )


async def test_the_frequent_run_leaves_older_days_as_they_are(scene: Scene) -> None:
    day_s = 86_400
    await scene.book(await scene.charge())
    foreign = await scene.charge(order="17")
    old = await scene.charge(amount=777)
    assert (await reconcile(scene.resources, scene.known)).is_whole
    await scene.sandbox.control("clock", advance_s=30 * day_s)
    await scene.book(await scene.charge())
    late = await scene.charge(amount=888)
    # The newest day known is 30 days old: the window reaches from there to now.
    result = await reconcile(scene.resources, scene.known)
    assert (result.is_whole, len(result.waiting)) == (False, 2)
    await scene.sandbox.control("clock", advance_s=day_s)
    await scene.book(late)
    await scene.book(old)
    result = await reconcile(scene.resources, scene.known)
    assert (result.is_whole, result.outcome) == (False, "differs"), "old days wait for a whole run"
    assert set(await scene.classes()) == {
        each["balance_transaction"]["id"] for each in (foreign, old)
    }
    sums = await scene.sums()
    assert sums["movements_minor"] == sums["balance_minor"] == await scene.balance()
    assert (await reconcile(scene.resources, scene.known, whole=True)).outcome == "agreed"
    assert set(await scene.classes()) == {foreign["balance_transaction"]["id"]}


async def test_a_balance_that_is_no_sum_of_movements_is_shown(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.book(await scene.charge())
    told = await scene.balance()

    async def balance(listing: Listing, account: str) -> dict[str, int]:
        return {"EUR": told + 1}

    with monkeypatch.context() as patched:
        patched.setattr(Listing, "balance", balance)
        assert (await reconcile(scene.resources, scene.known)).outcome == "differs"
    [item] = await scene.items()
    assert (item["subject"], item["class"], item["reason"]) == (
        *("balance:EUR", "differs", "balance"),
    )
    assert (item["stripe_net_minor"], item["ledger_net_minor"]) == (told + 1, told)
    assert (await reconcile(scene.resources, scene.known)).outcome == "agreed"
    assert await scene.items() == []


async def test_money_that_moves_while_it_is_compared_is_compared_too(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.book(await scene.charge())
    ask, late = Listing.balance, 2

    async def balance(listing: Listing, account: str) -> dict[str, int]:
        nonlocal late
        if late:
            late -= 1
            await scene.book(await scene.charge())
        return await ask(listing, account)

    monkeypatch.setattr(Listing, "balance", balance)
    assert (await reconcile(scene.resources, scene.known, whole=True)).outcome == "agreed"
    assert (await scene.sums())["ledger_minor"] == await scene.balance()


async def test_its_role_reads_views_and_books_nothing(scene: Scene) -> None:
    for sql in (
        "SELECT * FROM payments.attempts",
        "SELECT * FROM ledger.openings",
        "SELECT * FROM read.openings",
        "SELECT * FROM edge.donor_profiles",
        "DELETE FROM reconciliation.differences",
        "INSERT INTO payments.movements DEFAULT VALUES",
        "INSERT INTO ledger.entries DEFAULT VALUES",
        "UPDATE ledger.balances SET amount = 0",
    ):
        async with scene.resources.pool.acquire() as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(sql)
    await scene.charge()
    await reconcile(scene.resources, scene.known)
    async with scene.resources.pool.acquire() as connection:
        assert await connection.fetch("SELECT * FROM read.movements") == [], "out of scope"
        healed = "UPDATE reconciliation.differences SET healed_at = now()"
        assert await connection.execute(healed) == "UPDATE 0"
