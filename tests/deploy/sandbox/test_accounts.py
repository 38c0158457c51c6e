import pytest
import stripe

from tests.deploy.sandbox.harness import Receiver, Sandbox, Shop


async def test_account_follows_its_country_and_capabilities(shop: Shop) -> None:
    german = await shop.api.accounts.retrieve_async(shop.account)
    assert (german.default_currency, german.charges_enabled) == ("eur", True)
    await shop.open_account("GB", metadata={"organization": "o-1"})
    british = await shop.api.accounts.retrieve_async(shop.account)
    assert british.default_currency == "gbp"
    assert british.metadata is not None
    assert british.metadata["organization"] == "o-1"
    changed = await shop.api.accounts.update_async(
        shop.account,
        {
            "metadata": {"organization": "", "name": "x"},
            "settings": {"payouts": {"schedule": {"interval": "manual"}}},
        },
    )
    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"name": "x"}
    assert changed.settings is not None
    assert changed.settings.payouts is not None
    assert changed.settings.payouts.schedule.interval == "manual"
    listed = await shop.api.accounts.list_async({"limit": 2})
    assert [account.id for account in listed.data] == [british.id, german.id]
    link = await shop.api.account_links.create_async(
        {
            "account": shop.account,
            "type": "account_onboarding",
            "refresh_url": "https://example.org/a",
            "return_url": "https://example.org/b",
        }
    )
    assert link.expires_at > link.created
    with pytest.raises(stripe.InvalidRequestError):
        await shop.open_account("XX")


async def test_no_charges_without_the_capability(shop: Shop) -> None:
    await shop.open_account(capabilities={"card_payments": {"requested": False}})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.give()
    assert "charges" in str(refused.value)


async def test_charges_can_be_taken_away_and_given_back(
    shop: Shop, receiver: Receiver, sandbox: Sandbox
) -> None:
    await shop.endpoint(receiver.url, "account.updated")
    path = f"accounts/{shop.account}"
    sandbox.control("POST", path, {"charges_enabled": False})
    with pytest.raises(stripe.InvalidRequestError):
        await shop.give()
    account = await shop.api.accounts.retrieve_async(shop.account)
    assert account.requirements is not None
    assert account.requirements.disabled_reason == "requirements.past_due"
    sandbox.control("POST", path, {"charges_enabled": True})
    assert (await shop.give()).status == "succeeded"
    await receiver.wait_for(2)
    told = sorted(
        (event["data"]["object"]["charges_enabled"], event["account"] == shop.account)
        for event in receiver.events
    )
    assert told == [(False, True), (True, True)]


async def test_access_can_be_revoked(shop: Shop, receiver: Receiver, sandbox: Sandbox) -> None:
    await shop.endpoint(receiver.url, "account.application.deauthorized")
    assert "error" not in sandbox.control("POST", f"accounts/{shop.account}/deauthorize")
    await receiver.wait_for(1)
    assert receiver.events[0]["account"] == shop.account
    with pytest.raises(stripe.PermissionError):
        await shop.give()
    with pytest.raises(stripe.PermissionError):
        await shop.api.accounts.retrieve_async(shop.account)
