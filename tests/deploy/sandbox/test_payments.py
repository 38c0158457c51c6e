import pytest
import stripe

from tests.deploy.sandbox.harness import Sandbox, Shop, payment_parameters

GIFT = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


async def events_of(shop: Shop) -> list[str]:
    listed = await shop.api.events.list_async({"limit": 100}, shop.on_account())
    types = [event.type for event in reversed(listed.data)]
    return [one for one in types if not one.startswith(("account.", "capability."))]


async def test_gift_is_charged_booked_and_told(shop: Shop) -> None:
    intent = await shop.give(
        metadata={"donation": "d-1"}, expand=["latest_charge.balance_transaction"]
    )
    assert intent.status == "succeeded"
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    booked = charge.balance_transaction
    assert isinstance(booked, stripe.BalanceTransaction)
    # 1.5 % of 50.00 EUR and 0.25 EUR
    assert (booked.amount, booked.fee, booked.net) == (5000, 100, 4900)
    assert [(item.type, item.amount) for item in booked.fee_details] == [("stripe_fee", 100)]
    assert booked.reporting_category == booked.type == "charge"
    assert booked.source == charge.id
    assert charge.metadata["donation"] == "d-1"
    assert await events_of(shop) == GIFT
    again = await shop.api.payment_intents.retrieve_async(intent.id, None, shop.on_account())
    assert (again.id, again.latest_charge) == (intent.id, charge.id)


async def test_gift_is_found_by_metadata_and_only_on_its_account(shop: Shop) -> None:
    wanted = await shop.give(metadata={"donation": "d-2", "fund": "a"})
    await shop.give(metadata={"donation": "d-3", "fund": "a"})
    query = "metadata['donation']:'d-2' AND status:'succeeded'"
    found = await shop.api.payment_intents.search_async({"query": query}, shop.on_account())
    assert [intent.id for intent in found.data] == [wanted.id]
    both = await shop.api.payment_intents.search_async(
        {"query": "metadata['fund']:'a'", "limit": 1}, shop.on_account()
    )
    assert len([intent.id async for intent in both.auto_paging_iter()]) == 2
    assert not (await shop.api.payment_intents.search_async({"query": query})).data
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.api.payment_intents.retrieve_async(wanted.id)
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


async def test_foreign_currency_is_converted_by_the_rate_on_the_transaction(shop: Shop) -> None:
    await shop.give(amount=5001, currency="usd")
    await shop.give(amount=1000, currency="jpy")
    listed = await shop.api.balance_transactions.list_async({}, shop.on_account())
    yen, dollars = listed.data
    assert (dollars.currency, dollars.exchange_rate, dollars.amount) == ("eur", 0.925926, 4631)
    assert (yen.currency, yen.exchange_rate, yen.amount) == ("eur", 0.625, 625)


async def test_application_fee_reaches_the_platform(shop: Shop) -> None:
    before = (await shop.api.balance.retrieve_async()).available[0].amount
    intent = await shop.give(application_fee_amount=150, expand=["latest_charge"])
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert charge.balance_transaction
    booked = await shop.api.balance_transactions.retrieve_async(
        str(charge.balance_transaction), None, shop.on_account()
    )
    assert {item.type: item.amount for item in booked.fee_details} == {
        "application_fee": 150,
        "stripe_fee": 100,
    }
    assert (booked.fee, booked.net) == (250, 4750)
    fees = await shop.api.application_fees.list_async({"charge": charge.id})
    assert [(fee.id, fee.amount, fee.account) for fee in fees.data] == [
        (charge.application_fee, 150, shop.account)
    ]
    assert (await shop.api.balance.retrieve_async()).available[0].amount == before + 150


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ],
)
async def test_decline_is_402_and_leaves_a_failed_charge(
    shop: Shop, card: str, code: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as declined:
        await shop.give(card)
    error = declined.value.error
    assert error is not None
    assert error.payment_intent is not None
    assert (declined.value.http_status, error.code, error.decline_code) == (402, code, decline_code)
    intent = await shop.api.payment_intents.retrieve_async(
        error.payment_intent.id, {"expand": ["latest_charge"]}, shop.on_account()
    )
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert intent.status == "requires_payment_method"
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.code == code
    assert (charge.status, charge.paid, charge.balance_transaction) == ("failed", False, None)
    assert await events_of(shop) == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
    ]
    paid = await shop.api.payment_intents.confirm_async(
        intent.id, {"payment_method": "pm_card_visa"}, shop.on_account()
    )
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
async def test_three_d_secure(shop: Shop, sandbox: Sandbox, outcome: str) -> None:
    intent = await shop.give("pm_card_threeDSecure2Required", return_url="https://example.org/")
    assert intent.status == "requires_action"
    assert intent.next_action is not None
    assert intent.next_action.type == "redirect_to_url"
    assert intent.client_secret is not None
    assert intent.client_secret.startswith(intent.id)
    path = f"payment_intents/{intent.id}/authentication"
    assert "error" not in sandbox.control("POST", path, {"outcome": outcome})
    later = await shop.api.payment_intents.retrieve_async(intent.id, None, shop.on_account())
    if outcome == "succeeded":
        assert later.status == "succeeded"
    else:
        assert later.status == "requires_payment_method"
        assert later.last_payment_error is not None
        assert later.last_payment_error.code == "payment_intent_authentication_failure"
    last = "payment_intent.succeeded" if outcome == "succeeded" else "payment_intent.payment_failed"
    told = await events_of(shop)
    assert told[1] == "payment_intent.requires_action"
    assert told[-1] == last
    assert sandbox.control("POST", path, {})["status"] == 400


async def test_card_that_wants_authentication_is_declined_off_session(shop: Shop) -> None:
    with pytest.raises(stripe.CardError) as declined:
        await shop.give("pm_card_authenticationRequired", off_session=True)
    assert declined.value.code == "authentication_required"


async def test_manual_capture_takes_part_and_cancel_releases(shop: Shop) -> None:
    held = await shop.give(capture_method="manual")
    assert (held.status, held.amount_capturable) == ("requires_capture", 5000)
    assert not (await shop.api.balance_transactions.list_async({}, shop.on_account())).data
    taken = await shop.api.payment_intents.capture_async(
        held.id, {"amount_to_capture": 4000}, shop.on_account()
    )
    assert (taken.status, taken.amount_received) == ("succeeded", 4000)
    booked = await shop.api.balance_transactions.list_async({}, shop.on_account())
    assert [transaction.amount for transaction in booked.data] == [4000]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.api.payment_intents.cancel_async(taken.id, None, shop.on_account())
    assert refused.value.code == "payment_intent_unexpected_state"
    other = await shop.give(capture_method="manual")
    gone = await shop.api.payment_intents.cancel_async(
        other.id, {"cancellation_reason": "abandoned"}, shop.on_account()
    )
    assert (gone.status, gone.cancellation_reason) == ("canceled", "abandoned")


async def test_intent_is_confirmed_later_with_its_own_method(shop: Shop) -> None:
    parameters = payment_parameters()
    del parameters["confirm"]
    intent = await shop.api.payment_intents.create_async(parameters, shop.on_account())
    assert intent.status == "requires_confirmation"
    paid = await shop.api.payment_intents.confirm_async(intent.id, None, shop.on_account())
    assert paid.status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.api.payment_intents.confirm_async(intent.id, None, shop.on_account())
    assert refused.value.code == "payment_intent_unexpected_state"


async def test_late_balance_transaction_is_told_by_charge_updated(
    shop: Shop, sandbox: Sandbox
) -> None:
    sandbox.control("POST", "late_transactions", {"enabled": True})
    intent = await shop.give(expand=["latest_charge"])
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (charge.paid, charge.balance_transaction) == (True, None)
    assert not (await shop.api.balance_transactions.list_async({}, shop.on_account())).data
    assert sandbox.control("POST", "late_transactions/release")["released"] == 1
    later = await shop.api.charges.retrieve_async(
        charge.id, {"expand": ["balance_transaction"]}, shop.on_account()
    )
    assert isinstance(later.balance_transaction, stripe.BalanceTransaction)
    assert later.balance_transaction.net == 4900
    updated = await shop.api.events.list_async({"type": "charge.updated"}, shop.on_account())
    assert updated.data[0].data.object["balance_transaction"] == later.balance_transaction.id
    assert sandbox.control("POST", "late_transactions/release")["released"] == 0
