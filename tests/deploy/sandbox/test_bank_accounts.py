"""Bank accounts of connected accounts: defaults per currency, who may change them, verification."""

from typing import Any

import pytest
import stripe

from tests.deploy.sandbox.harness import Receiver, Sandbox, Shop
from tests.deploy.sandbox.test_onboarding import COMPLETE, IBAN

USD_BANK = IBAN | {"country": "US", "currency": "usd", "account_number": "000123456789"}
FAILED_BANK = {"status": "verification_failed"}


async def test_bank_accounts_have_a_default_per_currency(shop: Shop, receiver: Receiver) -> None:
    await shop.create_account(**COMPLETE)
    await shop.endpoint(
        receiver.url, *(f"account.external_account.{what}" for what in ("created", "deleted"))
    )
    banks = shop.api.accounts.external_accounts
    [first] = (await banks.list_async(shop.account)).data
    assert (first.currency, first.default_for_currency, first.last4) == ("eur", True, "3000")
    euro: Any = {"external_account": IBAN, "default_for_currency": True, "metadata": {"n": "2"}}
    second = await banks.create_async(shop.account, euro)
    dollar = await banks.create_async(shop.account, {"external_account": USD_BANK})  # type: ignore[typeddict-item]  # a plain mapping
    listed = (await banks.list_async(shop.account)).data
    assert {one.id: one.default_for_currency for one in listed} == {
        first.id: False,
        second.id: True,
        dollar.id: True,
    }
    with pytest.raises(stripe.InvalidRequestError):
        await banks.delete_async(shop.account, second.id)
    assert (await banks.delete_async(shop.account, first.id)).deleted
    changed = await banks.update_async(shop.account, second.id, {"metadata": {"n": ""}})
    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {}
    await receiver.wait_for(3)
    assert sorted(receiver.types())[-1] == "account.external_account.deleted"


async def test_only_the_owner_changes_banks_where_stripe_collects(
    shop: Shop, sandbox: Sandbox
) -> None:
    banks = shop.api.accounts.external_accounts
    with pytest.raises(stripe.PermissionError):
        await banks.create_async(shop.account, {"external_account": IBAN})  # type: ignore[typeddict-item]  # a plain mapping
    path = f"accounts/{shop.account}/external_accounts"
    made = sandbox.control("POST", path, {"country": "US", "currency": "usd"})
    assert made["default_for_currency"]
    [euro, _] = (await banks.list_async(shop.account)).data
    sandbox.control("POST", f"{path}/{euro.id}", FAILED_BANK)
    sandbox.control("POST", f"{path}/{made['id']}", FAILED_BANK)
    account = await shop.api.accounts.retrieve_async(shop.account)
    assert (account.charges_enabled, account.payouts_enabled) == (True, False)
    sandbox.control("POST", f"{path}/{euro.id}", {"status": "verified"})
    assert (await shop.api.accounts.retrieve_async(shop.account)).payouts_enabled
