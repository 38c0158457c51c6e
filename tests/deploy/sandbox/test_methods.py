from typing import Any

import pytest
import stripe

from tests.deploy.sandbox.harness import KEY, Sandbox, Shop
from tests.deploy.sandbox.test_refunds import gift, refetched, refund, total

MINUTE_S, DAY_S = 60, 86_400


async def now(shop: Shop, intent: stripe.PaymentIntent) -> stripe.PaymentIntent:
    expand = ["latest_charge.balance_transaction", "latest_charge.refunds"]
    return await shop.api.payment_intents.retrieve_async(
        intent.id, {"expand": expand}, shop.on_account()
    )


def charge_of(intent: stripe.PaymentIntent) -> stripe.Charge:
    assert isinstance(intent.latest_charge, stripe.Charge)
    return intent.latest_charge


async def told(shop: Shop) -> list[str]:
    """Types of the events about payments, oldest first."""
    listed = await shop.api.events.list_async({"limit": 100}, shop.on_account())
    about = ("charge.", "payment_intent.")
    return [event.type for event in reversed(listed.data) if event.type.startswith(about)]


async def movements(shop: Shop) -> list[tuple[str, str, int]]:
    """(type, reporting category, net), oldest first."""
    listed = await shop.api.balance_transactions.list_async({"limit": 100}, shop.on_account())
    return [(each.type, each.reporting_category, each.net) for each in reversed(listed.data)]


@pytest.mark.parametrize(
    ("method", "after_s"), [("pm_success_de", MINUTE_S), ("pm_successDelayed_de", 5 * DAY_S)]
)
async def test_debit_is_processing_until_its_bank_has_paid(
    shop: Shop, sandbox: Sandbox, method: str, after_s: int
) -> None:
    intent = await now(shop, await shop.give(method))
    charge = charge_of(intent)
    assert (intent.status, charge.status, charge.paid) == ("processing", "pending", False)
    assert charge.id.startswith("py_")
    assert charge.payment_method_details is not None
    assert charge.payment_method_details.type == "sepa_debit"
    with pytest.raises(stripe.InvalidRequestError):
        await shop.api.payment_intents.cancel_async(intent.id, None, shop.on_account())
    sandbox.control("POST", "clock", {"advance_s": after_s - 2})
    assert (await now(shop, intent)).status == "processing"
    sandbox.control("POST", "clock", {"advance_s": 2})
    intent = await now(shop, intent)
    charge = charge_of(intent)
    assert (intent.status, charge.status, charge.paid) == ("succeeded", "succeeded", True)
    assert await told(shop) == [
        "payment_intent.created",
        "charge.pending",
        "payment_intent.processing",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]
    assert await movements(shop) == [("payment", "charge", 4965)]
    assert await total(shop) == 4965


async def test_failed_debit_is_undone_with_its_fees(shop: Shop, sandbox: Sandbox) -> None:
    intent = await shop.give("pm_insufficientFunds_de", application_fee_amount=100)
    assert intent.status == "processing"
    sandbox.control("POST", "clock", {"advance_s": MINUTE_S})
    intent = await now(shop, intent)
    charge = charge_of(intent)
    assert (intent.status, charge.status) == ("requires_payment_method", "failed")
    assert charge.failure_code == "insufficient_funds"
    assert charge.failure_balance_transaction is not None
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.code == "insufficient_funds"
    assert await movements(shop) == [
        ("payment", "charge", 4865),
        ("payment_failure_refund", "charge_failure", -4865),
    ]
    fees = await shop.api.application_fees.list_async({"charge": charge.id})
    assert [fee.refunded for fee in fees.data] == [True]
    assert (await told(shop))[-2:] == ["charge.failed", "payment_intent.payment_failed"]
    other = await shop.api.payment_intents.confirm_async(
        intent.id, {"payment_method": "pm_card_visa"}, shop.on_account()
    )
    assert other.status == "succeeded"


async def test_debit_is_returned_by_its_payer(shop: Shop, sandbox: Sandbox) -> None:
    intent = await shop.give("pm_disputed_de")
    sandbox.control("POST", "clock", {"advance_s": MINUTE_S})
    assert (await now(shop, intent)).status == "succeeded"
    listed = await shop.api.disputes.list_async({"payment_intent": intent.id}, shop.on_account())
    (returned,) = listed.data
    assert (returned.status, returned.is_charge_refundable) == ("lost", False)
    assert returned.evidence_details.due_by == 0
    # The amount, and 7.50 EUR for the return.
    assert await total(shop) == 4965 - 5000 - 750


async def test_debit_is_returned_weeks_after_it_was_paid_out(shop: Shop, sandbox: Sandbox) -> None:
    intent = await shop.give("pm_success_de", amount=4000)
    sandbox.control("POST", "clock", {"advance_s": 9 * DAY_S})
    sandbox.control("POST", f"accounts/{shop.account}/payouts", {"paid": True})
    sandbox.control("POST", "clock", {"advance_s": 32 * DAY_S})
    charge = charge_of(await now(shop, intent))
    returned = sandbox.control("POST", f"charges/{charge.id}/dispute", {})
    assert (returned["status"], returned["reason"]) == ("lost", "customer_initiated")
    assert await total(shop) == -4750


async def test_refund_of_a_debit_waits_for_the_bank(shop: Shop, sandbox: Sandbox) -> None:
    paid = await shop.give("pm_success_de")
    made = await shop.api.refunds.create_async({"payment_intent": paid.id}, shop.on_account())
    assert (made.status, made.pending_reason) == ("pending", "charge_pending")
    failing = await shop.give("pm_failed_de")
    given_up = await shop.api.refunds.create_async(
        {"payment_intent": failing.id}, shop.on_account()
    )
    sandbox.control("POST", "clock", {"advance_s": MINUTE_S})
    assert (await refetched(shop, made)).status == "succeeded"
    assert (await refetched(shop, given_up)).status == "failed"
    assert ("payment_refund", "refund", -5000) in await movements(shop)
    assert await total(shop) == -35


@pytest.mark.parametrize(
    ("method", "currency", "status"),
    [
        ("pm_usBankAccount_success", "usd", "succeeded"),
        ("pm_usBankAccount_accountClosed", "usd", "requires_payment_method"),
        ("pm_bacsDebit_success", "gbp", "succeeded"),
        ("pm_bacsDebit_insufficientFunds", "gbp", "requires_payment_method"),
    ],
)
async def test_other_debits_process_alike(
    shop: Shop, sandbox: Sandbox, method: str, currency: str, status: str
) -> None:
    intent = await shop.give(method, currency=currency)
    assert intent.status == "processing"
    sandbox.control("POST", "clock", {"advance_s": MINUTE_S})
    assert (await now(shop, intent)).status == status


async def refused(shop: Shop, method: str, **params: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.give(method, **params)
    return caught.value


async def test_methods_that_a_payment_cannot_have_are_refused(shop: Shop) -> None:
    both = await refused(shop, "pm_card_visa", payment_method_types=["card"])
    assert both.user_message == (
        "You may only specify one of these parameters: automatic_payment_methods, "
        "payment_method_types."
    )
    dollars = await refused(shop, "pm_success_de", currency="usd")
    assert dollars.param == "payment_method"
    held = await refused(shop, "pm_success_de", capture_method="manual")
    assert held.param == "payment_method"


async def test_listed_methods_are_the_only_ones(shop: Shop) -> None:
    listed: Any = {
        "amount": 5000,
        "currency": "eur",
        "payment_method_types": ["sepa_debit"],
        "payment_method_data": {
            "type": "sepa_debit",
            "sepa_debit": {"iban": "DE89 3704 0044 0532 0130 00"},
        },
        "mandate_data": {"customer_acceptance": {"type": "offline"}},
        "confirm": True,
    }
    intent = await shop.api.payment_intents.create_async(listed, shop.on_account())
    assert (intent.status, intent.payment_method_types) == ("processing", ["sepa_debit"])
    with pytest.raises(stripe.InvalidRequestError) as wrong:
        await shop.api.payment_intents.create_async(
            listed | {"payment_method_data": {"type": "card", "card": {"number": "4242"}}},
            shop.on_account(),
        )
    assert wrong.value.param == "payment_method_data"


@pytest.mark.parametrize(
    ("card", "decline_code"),
    [
        ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "card_velocity_exceeded"),
        ("pm_card_chargeCustomerFail", "generic_decline"),
        ("pm_card_radarBlock", "fraudulent"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error"),
    ],
)
async def test_more_cards_decline(shop: Shop, card: str, decline_code: str) -> None:
    with pytest.raises(stripe.CardError) as declined:
        await shop.give(card)
    assert declined.value.error is not None
    assert declined.value.error.decline_code == decline_code
    listed = await shop.api.charges.list_async({"limit": 1}, shop.on_account())
    outcome = listed.data[0].outcome
    assert outcome is not None
    blocked = decline_code == "fraudulent"
    assert outcome.type == ("blocked" if blocked else "issuer_declined")


async def test_card_may_decline_after_authentication(shop: Shop, sandbox: Sandbox) -> None:
    intent = await shop.give("pm_card_threeDSecureRequiredChargeDeclined")
    assert intent.status == "requires_action"
    sandbox.control("POST", f"payment_intents/{intent.id}/authentication", {})
    declined = await now(shop, intent)
    assert declined.status == "requires_payment_method"
    assert declined.last_payment_error is not None
    assert declined.last_payment_error.code == "card_declined"


async def test_optional_authentication_is_asked_only_if_wanted(shop: Shop) -> None:
    assert (await shop.give("pm_card_threeDSecureOptional")).status == "succeeded"
    wanted: Any = {"card": {"request_three_d_secure": "any"}}
    asked = await shop.give("pm_card_threeDSecureOptional", payment_method_options=wanted)
    assert asked.status == "requires_action"
    saved = "pm_card_authenticationRequiredSetupForOffSession"
    assert (await shop.give(saved, off_session=True)).status == "succeeded"
    assert (await shop.give(saved)).status == "requires_action"


async def test_authorization_that_is_not_captured_expires(shop: Shop, sandbox: Sandbox) -> None:
    held = await shop.give(capture_method="manual")
    taken = await shop.give(capture_method="manual")
    await shop.api.payment_intents.capture_async(taken.id, None, shop.on_account())
    sandbox.control("POST", "clock", {"advance_s": 7 * DAY_S})
    gone = await now(shop, held)
    assert (gone.status, gone.cancellation_reason) == ("canceled", "automatic")
    assert charge_of(gone).refunded
    assert (await now(shop, taken)).status == "succeeded"
    assert (await told(shop))[-2:] == ["payment_intent.canceled", "charge.expired"]


async def test_browser_sees_and_confirms_one_intent_by_its_secret(
    shop: Shop, sandbox: Sandbox
) -> None:
    key = sandbox.control("GET", "keys")["publishable_key"]
    assert key.startswith("pk_test_")
    assert KEY.removeprefix("sk_test_") not in key
    browser = Shop(sandbox, key=key)
    browser.account = shop.account
    intent = await shop.api.payment_intents.create_async(
        {"amount": 5000, "currency": "eur", "metadata": {"donation": "d-1"}}, shop.on_account()
    )
    secret: Any = {"client_secret": intent.client_secret}
    seen = await browser.api.payment_intents.retrieve_async(intent.id, secret, shop.on_account())
    assert (seen.status, hasattr(seen, "metadata")) == ("requires_payment_method", False)
    for wrong in ({}, {"client_secret": f"{intent.client_secret}x"}):
        params: Any = wrong
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            await browser.api.payment_intents.retrieve_async(intent.id, params, shop.on_account())
        assert refusal.value.code == "payment_intent_invalid_parameter"
    chosen: Any = secret | {
        "payment_method": "pm_card_visa",
        "return_url": "https://example.org/",
    }
    paid = await browser.api.payment_intents.confirm_async(intent.id, chosen, shop.on_account())
    assert paid.status == "succeeded"
    with pytest.raises(stripe.PermissionError) as forbidden:
        await browser.api.payment_intents.list_async(None, shop.on_account())
    assert "publishable API key" in str(forbidden.value.user_message)
    with pytest.raises(stripe.PermissionError):
        await browser.api.refunds.create_async({"payment_intent": intent.id}, shop.on_account())
    await browser.close()


async def test_captured_card_disputes_after_capture_only(shop: Shop) -> None:
    held = await shop.give("pm_card_createDispute", capture_method="manual")
    assert not (await shop.api.disputes.list_async({}, shop.on_account())).data
    await shop.api.payment_intents.capture_async(held.id, None, shop.on_account())
    assert len((await shop.api.disputes.list_async({}, shop.on_account())).data) == 1
    charge = await gift(shop)
    assert (await refund(shop, charge, amount=1)).status == "succeeded"
