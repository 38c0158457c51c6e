"""Accounts as Stripe documents them: what is due, who may change it, links, banks, what is told."""

from typing import Any

import aiohttp
import pytest
import stripe

from deploy.sandbox import account_bodies
from deploy.sandbox.standing import INFORMATION, Standing, derive
from tests.deploy.sandbox.harness import Receiver, Sandbox, Shop

RETURN_URL, REFRESH_URL = "https://example.org/return?a=1", "https://example.org/refresh"
CUSTOM = {
    "fees": {"payer": "application"},
    "losses": {"payments": "application"},
    "requirement_collection": "application",
    "stripe_dashboard": {"type": "none"},
}
IBAN = {
    "object": "bank_account",
    "country": "DE",
    "currency": "eur",
    "account_number": "DE89370400440532013000",
}
COMPLETE: Any = {
    "controller": CUSTOM,
    "business_type": "non_profit",
    "business_profile": {"mcc": "8398", "url": "https://example.org"},
    "company": {"name": "Example"},
    "tos_acceptance": {"date": "1760000000", "ip": "192.0.2.1"},
    "external_account": IBAN,
}


async def open_page(url: str) -> tuple[int, str, str]:
    """GET without following: status, body, location."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, allow_redirects=False) as response,
    ):
        return response.status, await response.text(), response.headers.get("Location", "")


async def press(sandbox: Sandbox, page: str, complete: str) -> str:
    """Press a button of the page; returns where it leads."""
    action = page.split('action="')[1].split('"')[0]
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            sandbox.url + action, data={"complete": complete}, allow_redirects=False
        ) as response,
    ):
        assert response.status == 303
        return response.headers["Location"]


async def link_of(shop: Shop) -> stripe.AccountLink:
    return await shop.api.account_links.create_async(
        {
            "account": shop.account,
            "type": "account_onboarding",
            "refresh_url": REFRESH_URL,
            "return_url": RETURN_URL,
        }
    )


ON, OFF = (True, True, "active"), (False, False, "inactive")
PAST_DUE, VERIFYING = "requirements.past_due", "requirements.pending_verification"


@pytest.mark.parametrize(
    ("changes", "bank", "expected"),
    [
        ({}, "new", (*ON, None)),
        ({}, None, (True, False, "active", PAST_DUE)),
        ({}, "errored", (True, False, "active", PAST_DUE)),
        ({"submitted": False, "missing": list(INFORMATION)}, None, (*OFF, PAST_DUE)),
        ({"past_due": ["business_type"]}, "new", (*OFF, PAST_DUE)),
        ({"due": ["business_type"], "due_by": 9}, "new", (*ON, None)),
        ({"verifying": ["business_type"]}, "new", (False, False, "pending", VERIFYING)),
        ({"under_review": True, "past_due": ["x"]}, "new", (*OFF, "under_review")),
        ({"rejected": "fraud", "under_review": True}, "new", (*OFF, "rejected.fraud")),
        ({"charges_off": True}, "new", (False, True, "inactive", PAST_DUE)),
        ({"payouts_off": True, "reason": "other"}, "new", (True, False, "active", "other")),
        ({"requested": {}}, "new", (False, False, None, None)),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_an_account_may_do_follows_from_its_standing(
    changes: dict[str, Any], bank: str | None, expected: tuple[Any, ...]
) -> None:
    account = account_bodies.account("acct_1", 0, "DE", "eur")
    if bank is not None:
        made = account_bodies.bank_account("ba_1", "acct_1", IBAN) | {"status": bank}
        account["external_accounts"]["data"].append(made)
    given: dict[str, Any] = {"requested": {"card_payments": 1}, "submitted": True, **changes}
    known = Standing(**given)
    derive(account, known)
    shown = (
        account["charges_enabled"],
        account["payouts_enabled"],
        account["capabilities"].get("card_payments"),
        account["requirements"]["disabled_reason"],
    )
    assert shown == expected
    assert account["requirements"]["current_deadline"] == known.due_by


async def test_a_click_on_the_link_onboards_and_leads_back(
    shop: Shop, receiver: Receiver, sandbox: Sandbox
) -> None:
    account = await shop.create_account()
    assert (account.charges_enabled, account.details_submitted) == (False, False)
    assert account.requirements is not None
    assert account.requirements.past_due == list(INFORMATION)
    with pytest.raises(stripe.InvalidRequestError):
        await shop.give()
    await shop.endpoint(
        receiver.url, "account.updated", "capability.updated", "account.external_account.created"
    )
    status, page, _ = await open_page((await link_of(shop)).url)
    assert status == 200
    assert await press(sandbox, page, "false") == RETURN_URL
    assert not (await shop.api.accounts.retrieve_async(shop.account)).details_submitted
    _, page, _ = await open_page((await link_of(shop)).url)
    assert await press(sandbox, page, "true") == RETURN_URL
    ready = await shop.api.accounts.retrieve_async(shop.account)
    assert (ready.charges_enabled, ready.payouts_enabled, ready.details_submitted) == (True,) * 3
    assert (await shop.give()).status == "succeeded"
    await receiver.wait_for(3)
    assert sorted(receiver.types()) == [
        "account.external_account.created",
        "account.updated",
        "capability.updated",
    ]
    assert {event["account"] for event in receiver.events} == {shop.account}
    updated = next(event for event in receiver.events if event["type"] == "account.updated")
    assert updated["data"]["previous_attributes"]["charges_enabled"] is False


async def test_a_link_is_good_for_one_visit_and_five_minutes(shop: Shop, sandbox: Sandbox) -> None:
    await shop.create_account()
    used, old = await link_of(shop), await link_of(shop)
    assert (await open_page(used.url))[0] == 200
    assert (await open_page(used.url))[::2] == (303, REFRESH_URL)
    sandbox.control("POST", "clock", {"advance_s": 301})
    assert (await open_page(old.url))[::2] == (303, REFRESH_URL)
    assert (await open_page(f"{sandbox.url}/connect/onboarding/none"))[0] == 404


async def test_a_platform_that_collects_requirements_onboards_by_api(shop: Shop) -> None:
    account = await shop.create_account(**COMPLETE)
    assert (account.charges_enabled, account.payouts_enabled) == (True, True)
    left_out = {name: value for name, value in COMPLETE.items() if name != "tos_acceptance"}
    account = await shop.create_account(**left_out)
    assert account.requirements is not None
    assert account.requirements.currently_due == ["tos_acceptance.date", "tos_acceptance.ip"]
    changed = await shop.api.accounts.update_async(
        shop.account, {"tos_acceptance": {"date": 1760000000, "ip": "192.0.2.1"}}
    )
    assert changed.charges_enabled


@pytest.mark.parametrize(
    "wrong",
    [
        {"tos_acceptance": {"date": "1760000000"}},
        {"type": "express"},
        {"controller": CUSTOM | {"stripe_dashboard": {"type": "full"}}},
        {"capabilities": {"teleport_payments": {"requested": True}}},
        {"default_currency": "krw"},
        {"country": "XX"},
    ],
    ids=str,
)
async def test_what_stripe_refuses_of_an_account_is_refused(
    shop: Shop, wrong: dict[str, Any]
) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await shop.create_account(**wrong)


async def test_capabilities_are_objects_of_their_own(shop: Shop) -> None:
    listed = await shop.api.accounts.capabilities.list_async(shop.account)
    assert [(one.id, one.status, one.requested) for one in listed.data] == [
        ("card_payments", "active", True)
    ]
    one = await shop.api.accounts.capabilities.update_async(
        shop.account, "sepa_debit_payments", {"requested": True}
    )
    assert (one.status, one.requested) == ("active", True)
    gone = await shop.api.accounts.capabilities.update_async(
        shop.account, "sepa_debit_payments", {"requested": False}
    )
    assert gone.status == "unrequested"
    with pytest.raises(stripe.InvalidRequestError):
        await shop.api.accounts.capabilities.retrieve_async(shop.account, "teleport_payments")


@pytest.mark.parametrize(
    ("given", "reason", "charges", "payouts"),
    [
        ({"past_due": ["business_type"]}, "requirements.past_due", False, False),
        ({"currently_due": ["business_type"], "current_deadline": 1 << 40}, None, True, True),
        ({"pending_verification": ["x"]}, "requirements.pending_verification", False, False),
        ({"under_review": True}, "under_review", False, False),
        ({"payouts_enabled": False}, "requirements.past_due", True, False),
        ({"charges_enabled": False, "disabled_reason": "listed"}, "listed", False, True),
    ],
    ids=str,
)
async def test_the_control_api_changes_what_is_due_and_takes_it_back(
    shop: Shop,
    sandbox: Sandbox,
    given: dict[str, Any],
    reason: str | None,
    charges: bool,
    payouts: bool,
) -> None:
    sandbox.control("POST", f"accounts/{shop.account}", given)
    account = await shop.api.accounts.retrieve_async(shop.account)
    assert account.requirements is not None
    assert account.requirements.disabled_reason == reason
    assert (account.charges_enabled, account.payouts_enabled) == (charges, payouts)
    sandbox.control("POST", f"accounts/{shop.account}", {"charges_enabled": True})
    cleared = await shop.api.accounts.retrieve_async(shop.account)
    assert cleared.requirements is not None
    assert cleared.requirements.currently_due == []
    assert (cleared.charges_enabled, cleared.payouts_enabled) == (True, True)


async def test_accounts_are_rejected_and_deleted(shop: Shop, receiver: Receiver) -> None:
    with pytest.raises(stripe.PermissionError):
        await shop.api.accounts.reject_async(shop.account, {"reason": "fraud"})
    await shop.create_account(**COMPLETE)
    rejected = await shop.api.accounts.reject_async(shop.account, {"reason": "fraud"})
    assert rejected.requirements is not None
    assert rejected.requirements.disabled_reason == "rejected.fraud"
    await shop.endpoint(receiver.url, "account.application.deauthorized")
    assert (await shop.api.accounts.delete_async(shop.account)).deleted
    await receiver.wait_for(1)
    with pytest.raises(stripe.PermissionError):
        await shop.api.accounts.retrieve_async(shop.account)
    with pytest.raises(stripe.PermissionError):
        await shop.give()


async def test_what_is_due_is_past_due_after_its_deadline(
    shop: Shop, receiver: Receiver, sandbox: Sandbox
) -> None:
    await shop.endpoint(receiver.url, "account.updated")
    link = await link_of(shop)
    given = {"currently_due": ["business_type"], "current_deadline": link.created + 86_400}
    sandbox.control("POST", f"accounts/{shop.account}", given)
    sandbox.control("POST", "clock", {"advance_s": 2 * 86_400})
    account = await shop.api.accounts.retrieve_async(shop.account)
    assert account.requirements is not None
    assert account.requirements.past_due == ["business_type"]
    assert not account.charges_enabled
    await receiver.wait_for(2)
    _, page, _ = await open_page((await link_of(shop)).url)
    await press(sandbox, page, "true")
    assert (await shop.api.accounts.retrieve_async(shop.account)).charges_enabled
