"""What Stripe says of accounts, kept newest first, against the sandbox process and PostgreSQL."""

from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from tests.workers.accounts.conftest import Scene
from tests.workers.bench import Bench
from tests.workers.conftest import Sandbox
from workers.accounts import decisions, store
from workers.accounts.resources import Accounts
from workers.accounts.worker import WORKER
from workers.gateways.database import tenant
from workers.gateways.stripe_accounts import read_account
from workers.gateways.stripe_objects import AccessRevoked

#: The part of an account's body that is kept (Stripe API reference, "The Account object").
BODY = {
    "id": "acct_1",
    "charges_enabled": False,
    "payouts_enabled": True,
    "details_submitted": True,
    "country": "DE",
    "default_currency": "eur",
    "external_accounts": {
        "data": [
            {"id": "ba_usd", "currency": "usd", "default_for_currency": True, "status": "new"},
            {"id": "ba_old", "currency": "eur", "default_for_currency": False, "status": "new"},
            {"id": "ba_eur", "currency": "eur", "default_for_currency": True, "status": "verified"},
        ]
    },
    "requirements": {
        "currently_due": ["external_account", "tos_acceptance.date"],
        "past_due": ["tos_acceptance.date"],
        "pending_verification": ["company.tax_id"],
        "current_deadline": 1_800_000_000,
        "disabled_reason": "requirements.past_due",
    },
}


def test_what_is_kept_of_an_account() -> None:
    state = read_account(BODY)
    assert (state.charges_enabled, state.payouts_enabled, state.details_submitted) == (0, 1, 1)
    assert state.due == ("tos_acceptance.date", "external_account"), "past due ones first, once"
    assert state.in_review == ("company.tax_id",)
    assert state.due_by is not None and state.due_by.timestamp() == 1_800_000_000
    assert state.disabled_reason == "requirements.past_due"
    assert (state.country, state.default_currency) == ("DE", "EUR")
    assert (state.bank_account, state.bank_status) == ("ba_eur", "verified")


def test_account_that_says_little() -> None:
    names = ("id", "charges_enabled", "payouts_enabled", "details_submitted")
    state = read_account({name: BODY[name] for name in names})
    assert (state.due, state.due_by, state.default_currency, state.bank_status) == (
        (),
        None,
        None,
        None,
    )


async def test_adopted_account_is_current_as_stripe_shows_it(scene: Scene) -> None:
    account = await scene.sandbox.account()
    asked = scene.asked("adopt", account)
    assert await scene.settle(asked) == []
    row = await scene.row(account)
    assert (row["organization"], row["is_current"]) == (scene.organization, True)
    assert (row["authorized"], row["charges_enabled"], row["payouts_enabled"]) == (True, True, True)
    assert (row["country"], row["default_currency"]) == ("DE", "EUR")
    assert await scene.answer(asked) == ("done", None, account)
    [seen] = await scene.bench.fetch(
        "SELECT stripe_account, charges_enabled FROM read.organizations WHERE id = $1",
        scene.organization,
    )
    assert seen == {"stripe_account": account, "charges_enabled": True}


@pytest.mark.parametrize("event_type", sorted(decisions.HANDLING))
async def test_every_event_about_an_account_shows_how_it_is_now(
    scene: Scene, event_type: str
) -> None:
    account = await scene.adopted()
    await scene.sandbox.control(f"accounts/{account}", charges_enabled=False)
    assert await scene.settle(scene.told(event_type, account)) == []
    row = await scene.row(account)
    assert (row["authorized"], row["charges_enabled"]) == (True, False)
    assert row["disabled_reason"] == "requirements.past_due"


async def test_types_of_other_workers_are_left_to_them(scene: Scene) -> None:
    account = await scene.adopted()
    before = await scene.row(account)
    await scene.sandbox.control(f"accounts/{account}", charges_enabled=False)
    await scene.settle(scene.told("payment_intent.succeeded", account))
    assert await scene.row(account) == before


async def test_revoked_access_is_kept_and_what_was_known_stays(scene: Scene) -> None:
    account = await scene.adopted()
    await scene.sandbox.control(f"accounts/{account}/deauthorize")
    await scene.settle(scene.told("account.application.deauthorized", account))
    row = await scene.row(account)
    assert (row["authorized"], row["charges_enabled"], row["country"]) == (False, True, "DE")
    # A late event of before cannot give it back: nobody can look any more.
    await scene.settle(scene.told("account.updated", account))
    assert not (await scene.row(account))["authorized"]


@pytest.mark.parametrize("newer_is_kept_first", [True, False])
async def test_newest_look_wins_in_any_order(
    scene: Scene, accounts: Accounts, newer_is_kept_first: bool
) -> None:
    account = await scene.adopted()
    before = await accounts.look(account)
    await scene.sandbox.control(f"accounts/{account}", charges_enabled=False)
    after = await accounts.look(account)
    looks = [after, before] if newer_is_kept_first else [before, after]
    for look in looks:
        async with tenant(accounts.pool, scene.organization) as connection:
            await store.keep(connection, scene.organization, look)
    assert not (await scene.row(account))["charges_enabled"]
    # The same for what was revoked: an older look does not give it back.
    revoked = replace(after, seen=AccessRevoked(), began_at=after.began_at + timedelta(seconds=1))
    for look in (revoked, after, before):
        async with tenant(accounts.pool, scene.organization) as connection:
            await store.keep(connection, scene.organization, look)
    assert not (await scene.row(account))["authorized"]


async def test_edge_is_told_of_changes_only(scene: Scene) -> None:
    account = await scene.adopted()
    heard: list[str] = []
    listener = await asyncpg.connect(scene.bench.dsn)
    try:
        await listener.add_listener("edge_directory", lambda *given: heard.append(given[-1]))
        await scene.settle(scene.told("account.updated", account))
        await listener.execute("SELECT 1")
        assert heard == []
        await scene.sandbox.control(f"accounts/{account}", charges_enabled=False)
        await scene.settle(scene.told("account.updated", account))
        await listener.execute("SELECT 1")
        assert heard == ["accounts"]
    finally:
        await listener.close()


async def test_account_of_another_organization_is_not_adopted(
    bench: Bench, sandbox: Sandbox, accounts: Accounts, scene: Scene
) -> None:
    other = await Scene(bench, sandbox, accounts).prepare()
    account = await other.adopted()
    asked = scene.asked("adopt", account)
    await scene.settle(asked)
    assert await scene.answer(asked) == ("refused", "account_taken", account)
    assert await scene.stages() == {}
    assert await other.stages() == {account: "current"}


async def test_account_that_lets_nobody_look_is_not_adopted(scene: Scene) -> None:
    for account in (await scene.sandbox.account(), "acct_of_nobody"):
        if account != "acct_of_nobody":
            await scene.sandbox.control(f"accounts/{account}/deauthorize")
        asked = scene.asked("adopt", account)
        await scene.settle(asked)
        assert await scene.answer(asked) == ("refused", "account_unavailable", account)
    assert await scene.stages() == {}


async def test_second_account_becomes_current_once_it_may_charge(scene: Scene) -> None:
    first = await scene.adopted()
    second = await scene.adopted(charges_enabled=False)
    assert await scene.stages() == {first: "current", second: "onboarding"}
    third = await scene.sandbox.account()
    asked = scene.asked("adopt", third)
    await scene.settle(asked)
    assert (await scene.answer(asked))[1] == "setup_under_way"
    await scene.sandbox.control(f"accounts/{second}", charges_enabled=True)
    await scene.settle(scene.told("account.updated", second))
    assert await scene.stages() == {first: "retired", second: "current"}
    # The old one still may charge at Stripe; that does not bring it back.
    await scene.settle(scene.told("account.updated", first))
    assert await scene.stages() == {first: "retired", second: "current"}
    await scene.settle(scene.asked("adopt", first))
    assert await scene.stages() == {first: "current", second: "retired"}


async def test_retired_account_leaves_none(scene: Scene) -> None:
    account = await scene.adopted()
    asked, again = scene.asked("retire"), scene.asked("retire")
    await scene.settle(asked, again)
    assert await scene.stages() == {account: "retired"}
    assert await scene.answer(asked) == ("done", None, account)
    assert await scene.answer(again) == ("refused", "account_missing", None)


async def test_failure_of_stripe_is_tried_again(scene: Scene) -> None:
    account = await scene.adopted()
    await scene.sandbox.control(
        "faults", method="GET", path="/v1/accounts", action="answer", status=500
    )
    await scene.settle(scene.told("account.updated", account))
    assert await scene.bench.set_aside(WORKER) == [("parked", "transient")]
    assert (await scene.row(account))["authorized"]
