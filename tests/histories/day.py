"""A day of real gifts, over many accounts, with everything going wrong that can.

The gifts' times and amounts are those of a marathon's donations (`tests/data`); which of twenty
organizations each goes to is drawn.
"""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.histories.giving import promise
from tests.histories.play import Gift, Play
from tests.histories.returning import ask_for_refund
from tests.histories.trouble import Trouble, Weather

DATA: Final = Path(__file__).parents[1] / "data" / "agdq2017.csv.gz"
ORGANIZATIONS: Final = 20
#: Countries of the accounts, in turn: most settle in the currency of the gifts, some do not.
COUNTRIES: Final = ("US", "US", "US", "DE", "GB")
#: How long gifts gather before the platform gets its turn.
TICK: Final = timedelta(minutes=15)

WEATHER: Final = Weather(lost=0.05, twice=0.1, held=0.2)
TROUBLE: Final = Trouble(WEATHER, repeated=0.1, deaths=0.05)
#: Of a hundred requests to Stripe, so many meet each of these.
FAULTS: Final = (
    ("POST", {"action": "answer", "status": 409}, 1),
    ("POST", {"action": "answer", "status": 500}, 1),
    ("POST", {"action": "drop"}, 1),
    ("*", {"action": "answer", "status": 429}, 1),
    ("GET", {"action": "answer", "status": 503}, 1),
)


REFUNDED: Final = 0.01
DISPUTED: Final = 0.002
REASON: Final = "requested_by_customer"


@dataclass(frozen=True, slots=True)
class Promise:
    """A gift of the day: when, and how many cents."""

    at: datetime
    amount_minor: int


def gifts_of(day: str, hours: int = 24) -> list[Promise]:
    """The gifts of a day (UTC), or of its last hours."""
    with gzip.open(DATA, "rt") as file:
        rows = [row for row in csv.DictReader(file) if row["time"].startswith(day)]
    found = [Promise(datetime.fromisoformat(row["time"]), int(row["amount_minor"])) for row in rows]
    end = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)
    return [one for one in found if one.at >= end - timedelta(hours=hours)]


@dataclass
class Day:
    """The day as it is lived. `later` are gifts that will be given back or disputed."""

    play: Play
    dice: Random
    later: list[Gift] = field(default_factory=list)

    async def live(self, promises: list[Promise]) -> None:
        """Let the day pass, gift by gift and trouble by trouble."""
        for number in range(ORGANIZATIONS):
            await self.play.found(f"o{number}", COUNTRIES[number % len(COUNTRIES)], 2)
        for method, fault, per_cent in FAULTS:
            chance = {"count": None, "probability": per_cent / 100}
            self.play.sandbox.faults.add({"method": method, **chance, **fault})
        self.play.trouble = TROUBLE
        for number, tick in enumerate(_ticks(promises)):
            await self.play.advance(TICK)
            await self.play.sandbox.control("late_transactions", enabled=number % 4 == 0)
            for one in tick:
                self._give(one)
            await self.play.work(self.dice, 12)
            await self.play.machinery.retry()
            await self._take_back()

    def _give(self, one: Promise) -> None:
        dice = self.dice
        organization = dice.choice(self.play.organizations)
        fund = dice.choice(organization.funds)
        gift = Gift(f"g{len(self.play.gifts)}", organization, fund, self.play.id("don"), "USD")
        promise(
            self.play,
            gift,
            amount_minor=one.amount_minor,
            charge_amount_minor=one.amount_minor,
            currency="USD",
            covers_fee=False,
            payment_method="pm_card_chargeDeclined" if dice.random() < 0.02 else "pm_card_visa",
            visibility="public_full",
        )
        if dice.random() < REFUNDED + DISPUTED:
            self.later.append(gift)

    async def _take_back(self) -> None:
        """Refund or dispute some of the gifts that shall be, once Stripe has their money."""
        taken, self.later = self.later[:4], self.later[4:]
        for gift in taken:
            charge = await self._charge_of(gift)
            if charge is None:
                continue
            half = max(1, charge["amount"] // 2)
            if self.dice.random() < DISPUTED / (REFUNDED + DISPUTED):
                made = await self.play.sandbox.control(f"charges/{charge['id']}/dispute")
                if self.dice.random() < 0.5:
                    await self.play.sandbox.control(f"disputes/{made['id']}", status="won")
            elif self.dice.random() < 0.5:
                await self.play.sandbox.control(f"charges/{charge['id']}/refunds", amount=half)
            else:
                ask_for_refund(self.play, gift, self.dice.choice((half, None)), REASON)

    async def _charge_of(self, gift: Gift) -> dict[str, Any] | None:
        query = f"metadata['donation']:'{gift.donation}' AND status:'succeeded'"
        path, account = "/v1/payment_intents/search", gift.organization.account
        found = await self.play.sandbox.ask("GET", path, account, query=query)
        if not found["data"]:
            return None
        charge = found["data"][0]["latest_charge"]
        body: dict[str, Any] = await self.play.sandbox.ask("GET", f"/v1/charges/{charge}", account)
        return body


def _ticks(promises: list[Promise]) -> Iterator[list[Promise]]:
    span_s = TICK.total_seconds()
    for _, group in groupby(promises, lambda one: int(one.at.timestamp() // span_s)):
        yield list(group)
