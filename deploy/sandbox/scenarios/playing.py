"""Plays a story against a running sandbox and tells what must follow, as text or JSON.

What is told has no ids and no times: the same seed on an account of the same currency gives the
same words, whatever happened in the sandbox before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from contracts.money import spell
from deploy.sandbox.scenarios import expected
from deploy.sandbox.scenarios.expected import Entry
from deploy.sandbox.scenarios.observing import observe
from deploy.sandbox.scenarios.reaching import Stripe, listed
from deploy.sandbox.scenarios.story import Giver, Story
from deploy.sandbox.scenarios.table import SCENARIOS

COUNTRY: Final = "DE"
INTERVAL: Final = "settings[payouts][schedule][interval]"


@dataclass(frozen=True, slots=True)
class Told:
    """What was played, and the ledger that must follow from it."""

    name: str
    seed: int
    sentences: list[str]
    entries: list[Entry]

    def shown(self) -> dict[str, Any]:
        """As JSON: amounts in ISO minor units, positive is debit."""
        return {
            "scenario": self.name,
            "seed": self.seed,
            "steps": self.sentences,
            "entries": [
                {
                    "kind": entry.kind,
                    "about": entry.about,
                    "postings": [
                        {"account": account, "currency": currency, "amount_minor": amount}
                        for (account, currency), amount in sorted(entry.postings.items())
                    ],
                }
                for entry in self.entries
            ],
            "balances": expected.balances(self.entries),
        }

    def lines(self) -> Iterator[str]:
        """As text for people."""
        yield f"{self.name}, seed {self.seed}: {SCENARIOS[self.name].about}"
        yield from (f"{number:3}. {said}" for number, said in enumerate(self.sentences, 1))
        yield "The ledger that must follow:" if self.entries else "Nothing must be booked."
        for entry in self.entries:
            yield f"  {entry.kind}: {entry.about}"
            for (account, currency), amount in sorted(entry.postings.items()):
                yield f"    {account:24}{spell(amount, currency):>16}"
        for account, sums in expected.balances(self.entries).items():
            for currency, amount in sums.items():
                yield f"= {account:24}  {spell(amount, currency):>16}"


async def open_account(stripe: Stripe) -> str:
    """A new account that may do everything."""
    account = await stripe.ask(
        "POST",
        "/v1/accounts",
        **{
            "country": COUNTRY,
            "capabilities[card_payments][requested]": "true",
            "capabilities[sepa_debit_payments][requested]": "true",
            "capabilities[transfers][requested]": "true",
        },
    )
    await stripe.ask("POST", f"/_sandbox/accounts/{account['id']}/onboard")
    found: str = account["id"]
    return found


async def play(stripe: Stripe, giver: Giver, account: str, name: str, seed: int) -> Told:
    """Play a scenario on an account; RefusedError if the sandbox does not go along.

    Payouts are made by the story alone: Stripe's schedule is put back afterwards.
    """
    body = await stripe.ask("GET", f"/v1/accounts/{account}")
    before = await listed(stripe, "/v1/balance_transactions", account)
    settled = body["default_currency"]
    story = Story(
        stripe,
        giver,
        account,
        settled,
        Random(f"{name}/{seed}"),  # noqa: S311 - repeatable on purpose
        other="eur" if settled == "usd" else "usd",
        seen=frozenset(line["id"] for line in before),
    )
    interval = body["settings"]["payouts"]["schedule"]["interval"]
    await stripe.ask("POST", f"/v1/accounts/{account}", **{INTERVAL: "manual"})
    try:
        for step in SCENARIOS[name].steps:
            story.sentences.append(await step.act(story))
            await giver.rest()
        happened = await observe(story)
    finally:
        await stripe.ask("POST", f"/v1/accounts/{account}", **{INTERVAL: interval})
    return Told(name, seed, story.sentences, expected.ledger(happened))
