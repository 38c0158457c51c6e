from typing import Any

import pytest
import stripe

from tests.deploy.sandbox.harness import Sandbox, Shop, payment_parameters


async def booked(shop: Shop, card: str = "pm_card_visa", **params: Any) -> Any:
    """The balance transaction of a new gift."""
    intent = await shop.give(card, expand=["latest_charge.balance_transaction"], **params)
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    return charge.balance_transaction


async def restarted(sandbox: Sandbox, shop: Shop) -> Shop:
    """Restart the sandbox; a new client of the same account, for the old connections are gone."""
    await shop.close()
    sandbox.stop()
    sandbox.start()
    again = Shop(sandbox)
    again.account = shop.account
    return again


def lines(transaction: Any) -> dict[str, int]:
    return {line.type: line.amount for line in transaction.fee_details}


async def test_every_part_of_the_fee_is_a_line_of_its_own(shop: Shop, sandbox: Sandbox) -> None:
    path = f"accounts/{shop.account}/pricing"
    own = {"basis_points": 40, "fixed": 10, "tax_basis_points": 1900}
    sandbox.control("POST", path, own | {"passthrough_basis_points": 33})
    transaction = await booked(shop, amount=10_001, application_fee_amount=150)
    # 0.4 % of 100.01 and 0.10; 19 % of that 0.50; 0.33 % of 100.01; each rounded half up
    assert lines(transaction) == {
        "application_fee": 150,
        "stripe_fee": 50,
        "tax": 10,
        "payment_method_passthrough_fee": 33,
    }
    assert (transaction.fee, transaction.net) == (243, 10_001 - 243)
    shop = await restarted(sandbox, shop)
    # 19 % of 0.30
    assert lines(await booked(shop))["tax"] == 6
    sandbox.control("POST", path, {})
    assert lines(await booked(shop)) == {"stripe_fee": 100}
    await shop.close()
    for wrong in ({"fixed": -1}, {"percent": 1}, {"basis_points": 1.5}):
        assert sandbox.control("POST", path, wrong)["status"] == 400


@pytest.mark.parametrize(
    ("currency", "amount", "settled"),
    [
        ("jpy", 500, 313),
        ("kwd", 18_600, 5636),
        ("ugx", 1_000_000, 250),
        ("isk", 150_000, 1000),
        ("huf", 40_050, 100),
        ("twd", 3_550, 101),
    ],
)
async def test_amounts_are_counted_in_the_units_that_stripe_documents(
    shop: Shop, currency: str, amount: int, settled: int
) -> None:
    transaction = await booked(shop, amount=amount, currency=currency)
    assert (transaction.currency, transaction.amount) == ("eur", settled)
    assert transaction.amount == int(amount * transaction.exchange_rate + 0.5)


@pytest.mark.parametrize(
    ("currency", "amount", "code"),
    [
        ("isk", 150_050, "invalid_charge_amount_no_decimal_compatible"),
        ("ugx", 1_000_050, "invalid_charge_amount_no_decimal_compatible"),
        ("kwd", 18_605, "invalid_charge_amount_no_decimal_compatible"),
        ("jpy", 79, "amount_too_small"),
        ("eur", 49, "amount_too_small"),
        ("eur", 100_000_000, "amount_too_large"),
    ],
)
async def test_amounts_that_cannot_be_charged_are_refused(
    shop: Shop, currency: str, amount: int, code: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.api.payment_intents.create_async(
            payment_parameters(amount=amount, currency=currency), shop.on_account()
        )
    assert (refused.value.code, refused.value.param) == (code, "amount")


async def test_least_amount_is_that_of_the_settlement_currency(sandbox: Sandbox) -> None:
    british = Shop(sandbox)
    await british.open_account("GB")
    assert (await booked(british, amount=36, currency="eur")).amount == 31
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await british.give(amount=34, currency="eur")
    assert refused.value.user_message == "Amount must convert to at least £0.30 gbp"
    await british.close()


async def test_rate_that_moved_is_the_next_charges_rate(shop: Shop, sandbox: Sandbox) -> None:
    first = await booked(shop, amount=5000, currency="usd")
    sandbox.control("POST", "rates", {"usd": 1.25})
    try:
        second = await booked(shop, amount=5000, currency="usd")
        shop = await restarted(sandbox, shop)
        third = await booked(shop, amount=5000, currency="usd")
        await shop.close()
    finally:
        sandbox.control("POST", "rates", {"usd": 1.08})
    assert [each.exchange_rate for each in (first, second, third)] == [0.925926, 0.8, 0.8]
    assert [each.amount for each in (first, second, third)] == [4630, 4000, 4000]
    for wrong in ({"eur": 2}, {"usd": 0}, {"usd": "1"}, {"xyz": 1}):
        assert sandbox.control("POST", "rates", wrong)["status"] == 400
