"""Accounts made, linked to and moved, against the sandbox process and PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from contracts import connect
from deploy.demonstration import fill_in
from ledger.keys import decrypt
from tests.workers.accounts.conftest import URL, Scene
from tests.workers.bench import Bench
from tests.workers.conftest import Sandbox
from workers.accounts import decisions, requests, store
from workers.accounts.decisions import Creation, Known, Refusal
from workers.accounts.resources import Accounts
from workers.accounts.worker import WORKER

NEW = Known("acct_new", "onboarding", authorized=True, details_submitted=False)
CURRENT = Known("acct_current", "current", authorized=True, details_submitted=True)
BEGUN = replace(CURRENT, details_submitted=False)
REVOKED = replace(CURRENT, authorized=False)
OLD = replace(CURRENT, account="acct_old", stage="retired")


@pytest.mark.parametrize(
    ("known", "create", "replace_it"),
    [
        ([], None, None),
        ([OLD], None, None),
        ([BEGUN], "acct_current", "acct_current"),
        ([CURRENT], Refusal("account_exists"), None),
        ([OLD, REVOKED], None, None),
        ([CURRENT, NEW], "acct_new", "acct_new"),
        ([OLD, CURRENT, NEW], "acct_new", "acct_new"),
    ],
)
def test_when_an_account_is_made(known: Any, create: Any, replace_it: Any) -> None:
    assert decisions.plan_creation("create", known) == create
    assert decisions.plan_creation("replace", known) == replace_it


@pytest.mark.parametrize(
    ("known", "linked"),
    [
        ([], Refusal("account_missing")),
        ([OLD], Refusal("account_missing")),
        ([CURRENT, OLD], "acct_current"),
        ([CURRENT, NEW], "acct_new"),
        ([REVOKED], Refusal("account_unavailable")),
        ([REVOKED, NEW], "acct_new"),
    ],
)
def test_which_account_a_link_leads_to(known: Any, linked: Any) -> None:
    assert decisions.linked_account(known) == linked


def test_when_an_account_is_looked_for_before_it_is_made() -> None:
    now = datetime.now(UTC)
    begun = Creation(1, "DE", now - timedelta(hours=22))
    assert not decisions.must_be_looked_for(begun, "DE", now)
    assert decisions.must_be_looked_for(begun, "FR", now)
    assert decisions.must_be_looked_for(begun, "DE", now + timedelta(hours=2))


async def made(scene: Scene) -> list[dict[str, Any]]:
    """The organization's accounts at Stripe."""
    body = await scene.sandbox.ask("GET", "/v1/accounts?limit=100")
    return [
        one for one in body["data"] if one["metadata"].get("organization") == scene.organization
    ]


async def test_account_is_made_for_direct_charges_and_is_current_at_once(scene: Scene) -> None:
    asked = scene.asked("create", country="DE")
    [again] = await scene.settle(asked)
    [account] = await made(scene)
    assert account["controller"] == {
        "fees": {"payer": "account"},
        "is_controller": True,
        "losses": {"payments": "stripe"},
        "requirement_collection": "stripe",
        "stripe_dashboard": {"type": "full"},
        "type": "application",
    }
    assert set(account["capabilities"]) == {"card_payments", "transfers"}
    assert await scene.answer(asked) == ("done", None, account["id"])
    row = await scene.row(account["id"])
    assert (row["is_current"], row["charges_enabled"], row["country"]) == (True, False, "DE")
    assert row["due"] == account["requirements"]["currently_due"] != []
    assert (again.body.action, again.body.account) == ("look", account["id"])
    # What happened before it was known here is seen by the look that follows.
    await scene.sandbox.control(f"accounts/{account['id']}/onboard")
    assert await scene.settle(again) == []
    assert (await scene.row(account["id"]))["charges_enabled"]


async def test_whoever_asks_again_gets_the_account_that_is_being_set_up(scene: Scene) -> None:
    asked = [scene.asked("create", country="DE") for _ in range(4)]
    await scene.settle(*asked[:3])
    await scene.settle(asked[3], *asked)
    [account] = await made(scene)
    for each in asked:
        assert await scene.answer(each) == ("done", None, account["id"])


@pytest.mark.parametrize("action", ["answer", "drop"])
async def test_lost_answer_makes_no_second_account(scene: Scene, action: str) -> None:
    asked = scene.asked("create", country="DE")
    await scene.sandbox.control(
        "faults", method="POST", path="/v1/accounts", action=action, status=429, count=1
    )
    await scene.settle(asked)
    assert await scene.bench.set_aside(WORKER) == [("parked", "transient")]
    await scene.settle(asked)
    assert [account["id"] for account in await made(scene)] == list(await scene.stages())


async def test_failure_that_stripe_remembers_gets_another_key_after_a_look(scene: Scene) -> None:
    asked = scene.asked("create", country="DE")
    await scene.sandbox.control(
        "faults", method="POST", path="/v1/accounts", action="answer", status=500, count=1
    )
    await scene.settle(asked)
    await scene.bench.set_aside(WORKER)
    await scene.settle(asked)
    assert [account["id"] for account in await made(scene)] == list(await scene.stages())


async def test_account_made_under_a_forgotten_key_is_found(
    scene: Scene, accounts: Accounts
) -> None:
    await scene.settle(scene.asked("create", country="DE"))
    [before] = await made(scene)
    # As if the answer had been lost, a day ago.
    await scene.bench.fetch(
        "UPDATE accounts.creations SET account = NULL, begun_at = begun_at - interval '1 day'"
        " WHERE organization = $1",
        scene.organization,
    )
    await scene.bench.fetch("DELETE FROM accounts.accounts WHERE account = $1", before["id"])
    await scene.settle(scene.asked("create", country="FR"))
    assert [account["id"] for account in await made(scene)] == [before["id"]]
    assert await scene.stages() == {before["id"]: "current"}


async def test_country_that_stripe_does_not_take_can_be_corrected(scene: Scene) -> None:
    wrong, right = scene.asked("create", country="AQ"), scene.asked("create", country="DE")
    assert await scene.settle(wrong) == []
    assert await scene.answer(wrong) == ("refused", "country_not_supported", None)
    await scene.settle(right)
    [account] = await made(scene)
    assert await scene.answer(right) == ("done", None, account["id"])


async def linked(scene: Scene, action: str = "onboard") -> tuple[Any, dict[str, Any], str]:
    """A request for a link, its stored row, and the address."""
    asked = scene.asked(action)
    await scene.settle(asked)
    [row] = await scene.bench.fetch(
        "SELECT * FROM accounts.requests WHERE request = $1", asked.body.request
    )
    key = scene.accounts.link_key
    url = decrypt(key, row["url"], asked.body.request.encode()).decode() if row["url"] else ""
    return asked, row, url


async def test_link_leads_through_the_form_and_back(scene: Scene) -> None:
    await scene.settle(scene.asked("create", country="DE"))
    [account] = await scene.stages()
    asked, row, url = await linked(scene)
    assert (row["outcome"], row["account"]) == ("done", account)
    assert url.encode() not in row["url"], "it signs its holder in, so it lies encrypted"
    assert row["expires_at"] > datetime.now(UTC)
    back = await fill_in(url)
    assert back.startswith(f"{URL}/v1/connect/return?token=")
    [token] = parse_qs(urlsplit(back).query)["token"]
    said = connect.read_token(scene.accounts.token_key, token)
    assert said is not None
    assert (said.action, said.organization) == ("onboard", scene.organization)
    await scene.settle(scene.told("account.updated", account))
    assert (await scene.row(account))["charges_enabled"]
    # The same link once more, and the same request once more: a used link leads to its refresh.
    await scene.settle(replace(asked, id=scene.asked("look", account).id))
    assert (await fill_in(url)).startswith(f"{URL}/v1/connect/refresh?token=")
    _, _, fresh = await linked(scene, "update")
    assert fresh != url


async def test_link_that_is_asked_for_again_a_moment_later_is_the_same(scene: Scene) -> None:
    await scene.settle(scene.asked("create", country="DE"))
    asked, row, url = await linked(scene)
    clock = scene.accounts.now
    later = replace(scene.accounts, now=lambda: clock() + timedelta(seconds=2))
    outcome = await requests.link(asked, later)
    assert isinstance(outcome, decisions.Done)
    assert outcome.link is not None
    sealed, expires_at = outcome.link
    again = decrypt(scene.accounts.link_key, sealed, asked.body.request.encode()).decode()
    assert (again, expires_at) == (url, row["expires_at"])


async def test_link_right_behind_its_account_in_one_batch(scene: Scene) -> None:
    link = scene.asked("onboard")
    await scene.settle(scene.asked("create", country="DE"), link)
    [account] = await scene.stages()
    assert await scene.answer(link) == ("done", None, account)


async def test_links_that_lead_nowhere(scene: Scene) -> None:
    _, row, _ = await linked(scene)
    assert (row["code"], row["account"], row["url"]) == ("account_missing", None, None)
    await scene.settle(scene.asked("create", country="DE"))
    [account] = await scene.stages()
    late = scene.asked("onboard", time=datetime.now(UTC) - timedelta(minutes=11))
    await scene.settle(late)
    assert (await scene.answer(late))[1] == "request_expired"
    await scene.sandbox.control(f"accounts/{account}/deauthorize")
    _, row, _ = await linked(scene)
    assert row["code"] == "account_unavailable"


async def test_organization_moves_to_a_new_account_once_that_may_charge(scene: Scene) -> None:
    await scene.settle(scene.asked("create", country="DE"))
    [first] = await scene.stages()
    await scene.sandbox.control(f"accounts/{first}/onboard")
    await scene.settle(scene.told("account.updated", first))
    refused, asked = scene.asked("create", country="DE"), scene.asked("replace", country="FR")
    await scene.settle(refused, asked)
    assert (await scene.answer(refused))[1] == "account_exists"
    [second] = set(await scene.stages()) - {first}
    assert await scene.stages() == {first: "current", second: "onboarding"}
    _, row, url = await linked(scene)
    assert row["account"] == second
    await fill_in(url)
    await scene.settle(scene.told("capability.updated", second))
    assert await scene.stages() == {first: "retired", second: "current"}
    # Late events of the old account are still looked at, and change nothing about that.
    await scene.sandbox.control(f"accounts/{first}", charges_enabled=False)
    await scene.settle(scene.told("account.updated", first))
    assert not (await scene.row(first))["charges_enabled"]
    assert await scene.stages() == {first: "retired", second: "current"}


async def test_two_processes_make_one_account(
    bench: Bench, sandbox: Sandbox, accounts: Accounts, scene: Scene
) -> None:
    asked = [scene.asked("create", country="DE") for _ in range(6)]
    await asyncio.gather(*(scene.settle(one) for one in asked))
    await scene.bench.set_aside(WORKER)
    await scene.settle(*asked)
    [account] = await made(scene)
    assert await scene.stages() == {account["id"]: "current"}
    [creation] = await bench.fetch(
        "SELECT number, account FROM accounts.creations WHERE organization = $1",
        scene.organization,
    )
    assert creation == {"number": 1, "account": account["id"]}
    assert [one.account for one in await store.known(accounts.pool, scene.organization)] == [
        account["id"]
    ]
