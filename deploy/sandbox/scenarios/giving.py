"""Gifts through a platform that runs: posted to its edge, charged by its workers."""

import asyncio
from typing import Any, Final
from uuid import uuid4

from deploy.client import EdgeClient, RefusedByEdgeError
from deploy.sandbox.scenarios.reaching import Stripe, listed
from deploy.sandbox.scenarios.story import minor

PATIENCE_S: Final = 60
PAUSE_S: Final = 0.1
_UNTRIED: Final = ("requires_payment_method", "requires_confirmation")


class PlatformGiver:
    """Gives to one organization; TimeoutError when its platform does not act within a minute."""

    def __init__(self, stripe: Stripe, edge: EdgeClient, organization: str) -> None:
        self._stripe, self._edge, self._organization = stripe, edge, organization

    async def give(self, account: str, amount: int, currency: str, method: str) -> str | None:
        """Post a gift and wait until Stripe was asked for it."""
        body = {
            "organization": self._organization,
            "amount_minor": minor(amount, currency),
            "currency": currency.upper(),
            "payment_method": method,
        }
        try:
            answer = await self._edge.donate(body, f"scenario-{uuid4()}")
        except RefusedByEdgeError:
            return None
        donation = str(answer.donation["id"])
        async with asyncio.timeout(PATIENCE_S):
            while True:
                has_failed = (await self._edge.donation(donation))["status"] == "failed"
                found = await self._intent(account, donation)
                if found is not None and (has_failed or found["status"] not in _UNTRIED):
                    return str(found["id"])
                if has_failed:
                    return None
                await asyncio.sleep(PAUSE_S)

    async def _intent(self, account: str, donation: str) -> dict[str, Any] | None:
        for intent in await listed(self._stripe, "/v1/payment_intents", account):
            if intent["metadata"].get("donation") == donation:
                return intent
        return None

    async def rest(self) -> None:
        """Wait until no webhook is on its way any more."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                deliveries = await self._stripe.ask("GET", "/_sandbox/deliveries")
                if not deliveries["counts"].get("pending"):
                    return
                await asyncio.sleep(PAUSE_S)
