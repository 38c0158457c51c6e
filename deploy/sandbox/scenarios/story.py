"""A story while it is played: its account, its things by name, what was told of it so far."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from contracts.money import exponent_of, spell
from deploy.sandbox.money import CURRENCIES
from deploy.sandbox.scenarios.reaching import RefusedError, Stripe, listed


class Giver(Protocol):
    """Whoever makes gifts: the sandbox's own API, a platform's edge, a test."""

    async def give(self, account: str, amount: int, currency: str, method: str) -> str | None:
        """Pay `amount` (of Stripe's integers) by a payment method; the intent, None without one."""

    async def rest(self) -> None:
        """Return when what happened so far is taken in."""


@dataclass(slots=True)
class Story:
    """`settled` is the account's currency, `other` a foreign one; both in Stripe's spelling.

    `gifts` are intents by the gift's name, `seen` the balance transactions from before.
    """

    stripe: Stripe
    giver: Giver
    account: str
    settled: str
    dice: Random
    other: str = "usd"
    gifts: dict[str, str] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()
    sentences: list[str] = field(default_factory=list)

    async def control(self, path: str, **given: Any) -> Any:
        """One request of the control API."""
        return await self.stripe.ask("POST", f"/_sandbox/{path}", **given)

    async def charge(self, gift: str) -> dict[str, Any]:
        """The charge of a gift as it is now."""
        path = f"/v1/payment_intents/{self.gifts[gift]}"
        intent = await self.stripe.ask("GET", path, self.account, **{"expand[]": "latest_charge"})
        found: dict[str, Any] = intent["latest_charge"]
        return found

    async def of_charge(self, kind: str, gift: str) -> dict[str, Any]:
        """The newest refund or dispute of a gift."""
        charge = await self.charge(gift)
        found = await listed(self.stripe, f"/v1/{kind}s", self.account, charge=charge["id"])
        return found[-1]

    async def payouts(self) -> list[dict[str, Any]]:
        """The account's payouts, oldest first."""
        return await listed(self.stripe, "/v1/payouts", self.account)


@dataclass(frozen=True, slots=True)
class Step:
    """What happens, as a sentence, and how."""

    act: Callable[[Story], Awaitable[str]]


class DirectGiver:
    """Gifts by the sandbox's own API, when no platform runs."""

    def __init__(self, stripe: Stripe) -> None:
        self._stripe = stripe

    async def give(self, account: str, amount: int, currency: str, method: str) -> str | None:
        """Pay with metadata that says that it is a gift."""
        try:
            intent = await self._stripe.ask(
                "POST",
                "/v1/payment_intents",
                account,
                **{
                    "amount": str(amount),
                    "currency": currency,
                    "confirm": "true",
                    "payment_method": method,
                    "automatic_payment_methods[enabled]": "true",
                    "automatic_payment_methods[allow_redirects]": "never",
                    "metadata[donation]": "a gift",
                },
            )
        except RefusedError as error:
            intent = error.error.get("payment_intent") or {}
        found: str | None = intent.get("id")
        return found

    async def rest(self) -> None:
        """Nobody listens."""


def minor(amount: int, currency: str) -> int:
    """An integer of Stripe's API in ISO minor units."""
    stripe_unit = int(10 ** CURRENCIES[currency.lower()].digits)
    value, rest = divmod(amount * int(10 ** exponent_of(currency.upper())), stripe_unit)
    if rest:
        raise ValueError(f"{amount} of {currency} has no such fraction in ISO 4217")
    return value


def money(amount: int, currency: str) -> str:
    """An amount of Stripe's for people."""
    return spell(minor(amount, currency), currency.upper())
