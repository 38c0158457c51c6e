"""What Stripe says: the sandbox's own objects and balance, in ISO minor units."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.histories.play import Organization, Play
from workers.gateways.stripe_amounts import from_stripe


@dataclass(frozen=True, slots=True)
class Movement:
    """A balance transaction. `source` is the object that moved the money."""

    id: str
    account: str
    category: str
    source: str
    currency: str
    amount: int
    fee: int
    fees: dict[str, int]
    net: int
    body: dict[str, Any]


def movements(play: Play, organization: Organization) -> list[Movement]:
    """Every balance transaction of an organization's accounts."""
    found = []
    for account in organization.accounts:
        for body in play.sandbox.objects("balance_transaction", account):
            currency = body["currency"].upper()
            fees: Counter[str] = Counter()
            for part in body["fee_details"]:
                fees[part["type"]] += from_stripe(part["amount"], currency)
            found.append(
                Movement(
                    id=body["id"],
                    account=account,
                    category=body["reporting_category"],
                    source=body["source"],
                    currency=currency,
                    amount=from_stripe(body["amount"], currency),
                    fee=from_stripe(body["fee"], currency),
                    fees=dict(fees),
                    net=from_stripe(body["net"], currency),
                    body=body,
                )
            )
    return found


async def balances(play: Play, account: str) -> Counter[str]:
    """What Stripe answers to `GET /v1/balance`: available and pending, by currency."""
    body = await play.sandbox.ask("GET", "/v1/balance", account)
    sums: Counter[str] = Counter()
    for part in (*body["available"], *body["pending"]):
        currency = part["currency"].upper()
        sums[currency] += from_stripe(part["amount"], currency)
    return sums


def payouts(play: Play, organization: Organization) -> list[dict[str, Any]]:
    """The payouts of an organization's accounts."""
    return [
        body
        for account in organization.accounts
        for body in play.sandbox.objects("payout", account)
    ]
