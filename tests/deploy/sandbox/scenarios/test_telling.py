"""What is told of a story: the same for a seed, and in agreement with Stripe."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.money import exponent_of
from deploy.sandbox.scenarios import playing
from deploy.sandbox.scenarios.playing import Told, open_account, play
from deploy.sandbox.scenarios.reaching import RefusedError
from deploy.sandbox.scenarios.story import DirectGiver
from deploy.sandbox.scenarios.table import SCENARIOS
from tests.histories.sandbox import HOST, RefusedByStripeError, Sandbox, in_process


class InProcess:
    """The sandbox of this process, as stories reach it."""

    def __init__(self) -> None:
        self.sandbox = Sandbox()

    async def ask(
        self, method: str, path: str, account: str | None = None, /, **parameters: Any
    ) -> Any:
        try:
            return await self.sandbox.ask(method, path, account, **parameters)
        except RefusedByStripeError as error:
            raise RefusedError(HOST, {"error": {"message": str(error)}}) from error


@pytest.fixture
async def stripe() -> AsyncIterator[InProcess]:
    with in_process():
        made = InProcess()
        yield made
        made.sandbox.close()


async def told(stripe: InProcess, name: str, seed: int) -> Told:
    account = await open_account(stripe)
    return await play(stripe, DirectGiver(stripe), account, name, seed)


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("country", ["DE", "US"])
async def test_what_must_follow_leaves_on_the_account_what_stripe_says(
    stripe: InProcess, name: str, country: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playing, "COUNTRY", country)
    account = await open_account(stripe)
    story = await play(stripe, DirectGiver(stripe), account, name, seed=11)
    body = await stripe.ask("GET", "/v1/balance", account)
    says = {
        part["currency"].upper(): part["amount"] + waiting["amount"]
        for part, waiting in zip(body["available"], body["pending"], strict=True)
    }
    assert all(exponent_of(currency) == 2 for currency in says)
    booked = story.shown()["balances"].get("Assets:Stripe", {})
    assert booked == {currency: amount for currency, amount in says.items() if amount}


async def test_a_seed_tells_the_same_story_whatever_happened_before(stripe: InProcess) -> None:
    for name in SCENARIOS:
        first, again = await told(stripe, name, 3), await told(stripe, name, 3)
        assert list(first.lines()) == list(again.lines())
        assert json.dumps(first.shown()) == json.dumps(again.shown())


async def test_on_the_same_account_a_story_is_told_as_on_a_new_one(stripe: InProcess) -> None:
    account = await open_account(stripe)
    giver = DirectGiver(stripe)
    first = await play(stripe, giver, account, "dispute-lost-then-won", 3)
    await play(stripe, giver, account, "donation-refunded", 4)
    assert await play(stripe, giver, account, "dispute-lost-then-won", 3) == first


async def test_other_seeds_draw_other_amounts(stripe: InProcess) -> None:
    stories = [await told(stripe, "donation", seed) for seed in range(5)]
    assert len({story.sentences[0] for story in stories}) == 5


async def test_the_schedule_of_payouts_is_put_back(stripe: InProcess) -> None:
    account = await open_account(stripe)
    before = (await stripe.ask("GET", f"/v1/accounts/{account}"))["settings"]
    await play(stripe, DirectGiver(stripe), account, "negative-balance", 1)
    assert (await stripe.ask("GET", f"/v1/accounts/{account}"))["settings"] == before


async def test_a_story_is_told_in_words_and_figures(stripe: InProcess) -> None:
    story = await told(stripe, "dispute-lost-then-won", 1)
    assert list(story.lines()) == [
        "dispute-lost-then-won, seed 1: a dispute is lost, and won after all",
        "  1. gift 1: EUR 12.50 by pm_card_visa: succeeded",
        "  2. the bank disputes EUR 12.50 of gift 1: needs_response",
        "  3. the dispute of gift 1 is lost",
        "  4. 20 days pass",
        "  5. the dispute of gift 1 is won",
        "The ledger that must follow:",
        "  donation: gift 1",
        "    Assets:Stripe                  EUR 12.06",
        "    Expenses:ProcessorFees          EUR 0.44",
        "    Income:Donations              EUR -12.50",
        "  dispute_withdrawn: gift 1, dispute 1",
        "    Assets:Disputed                EUR 12.50",
        "    Assets:Stripe                 EUR -32.50",
        "    Expenses:DisputeFees           EUR 20.00",
        "  adjustment: gift 1, dispute 1",
        "    Assets:Disputed               EUR -12.50",
        "    Income:Donations               EUR 12.50",
        "  dispute_reinstated: gift 1, dispute 1",
        "    Assets:Disputed               EUR -12.50",
        "    Assets:Stripe                  EUR 32.50",
        "    Expenses:DisputeFees          EUR -20.00",
        "  adjustment: gift 1, dispute 1",
        "    Assets:Disputed                EUR 12.50",
        "    Income:Donations              EUR -12.50",
        "= Assets:Stripe                    EUR 12.06",
        "= Expenses:ProcessorFees            EUR 0.44",
        "= Income:Donations                EUR -12.50",
    ]
