"""Gifts that Stripe settles in another currency, and what it and the platform take."""

from decimal import ROUND_HALF_UP, Decimal

import pytest

from contracts.payments import PaymentCaptured
from tests.workers.payments.conftest import Scene
from workers.fees.decisions import donation_entry
from workers.payments.worker import WORKER


@pytest.mark.parametrize("holds", ["EUR", "USD"])
async def test_gift_that_settles_in_another_currency_goes_to_the_fund_that_holds_it(
    scene: Scene, holds: str
) -> None:
    """A fund's assets have one currency: dollars settled as euros go to that of euros."""
    wished = scene.fund if holds == "EUR" else await scene.add_fund("USD")
    promised = scene.gift(fund=wished, fund_currency=holds, currency="USD")
    [processing] = await scene.settle(promised)
    told = scene.event("payment_intent.succeeded", processing.body.payment_intent)
    [captured] = await scene.settle(told)
    body: PaymentCaptured = captured.body
    assert (body.settlement_currency, body.fund) == (
        "EUR",
        None if holds == "EUR" else scene.fund,
    )
    assert body.exchange_rate is not None
    rate = Decimal(body.exchange_rate)
    assert body.gross_minor == int((2500 * rate).to_integral_value(ROUND_HALF_UP))
    entry = donation_entry(body)
    assert entry.postings is not None
    for currency in ("EUR", "USD"):
        amounts = [int(p.amount) for p in entry.postings if p.currency == currency]
        assert amounts and sum(amounts) == 0
    assets = {p.currency for p in entry.postings if p.account.startswith("Assets:")}
    assert (assets, {p.fund for p in entry.postings}) == ({"EUR"}, {scene.fund})
    [movement] = await scene.movements()
    assert (movement["fund"], movement["currency"]) == (scene.fund, "EUR")
    # What comes after, refunds and disputes, finds the money where it is.
    found = await scene.payments.attempt_of_object((scene.organization, body.charge))
    assert found is not None
    assert found.request.fund == scene.fund


async def test_payment_waits_while_no_fund_holds_what_stripe_settled_in(scene: Scene) -> None:
    await scene.bench.fetch("UPDATE edge.funds SET currency = 'CHF' WHERE id = $1", scene.fund)
    [processing] = await scene.settle(scene.gift(fund_currency="CHF"))
    told = scene.event("payment_intent.succeeded", processing.body.payment_intent)
    assert await scene.settle(told) == []
    assert await scene.bench.set_aside(WORKER) == [("parked", "transient")]
    opened = await scene.add_fund("EUR")
    [captured] = await scene.settle(told)
    assert captured.body.fund == opened


async def test_platforms_share_is_taken_by_stripe_and_told_line_by_line(scene: Scene) -> None:
    promised = scene.gift(platform_fee_minor=25)
    [processing] = await scene.settle(promised)
    told = scene.event("payment_intent.succeeded", processing.body.payment_intent)
    [captured] = await scene.settle(told)
    body: PaymentCaptured = captured.body
    assert body.platform_fee_minor == 25
    assert body.gross_minor == body.fee_minor + 25 + body.net_minor
    taken = {line.kind: line.amount_minor for line in body.fees}
    assert taken["application_fee"] == 25
    assert sum(taken.values()) == body.fee_minor + 25
