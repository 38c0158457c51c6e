from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contracts.looks import PaymentLookRequested
from tests.workers.bench import Bench, event, gift, message, new
from tests.workers.conftest import Sandbox
from topics.registry import PAYMENTS_LOOK_REQUESTED
from workers.payments.resources import Payments, open_payments
from workers.payments.worker import WORKER


@pytest.fixture
async def payments(
    bench: Bench, sandbox: Sandbox, master_key_file: Path
) -> AsyncIterator[Payments]:
    settings = {
        **sandbox.settings,
        "AMPLY_POSTGRES": bench.role_dsn("payments"),
        "AMPLY_MASTER_KEY": str(master_key_file),
        "AMPLY_URL": "https://amply.test",
    }
    async with open_payments(settings) as opened:
        yield opened
    await sandbox.ask("DELETE", "/_sandbox/faults")


class Scene:
    """An organization with an account, and what happens to its gifts."""

    def __init__(self, bench: Bench, sandbox: Sandbox, payments: Payments) -> None:
        self.bench, self.sandbox, self.payments = bench, sandbox, payments

    async def prepare(self, **columns: Any) -> "Scene":
        self.account = await self.sandbox.account()
        self.organization, self.fund = await self.bench.organization(self.account, **columns)
        return self

    def gift(self, **changes: Any) -> Any:
        return gift(self.organization, changes.pop("fund", self.fund), **changes)

    def event(self, event_type: str, found: str, **changes: Any) -> Any:
        return event(self.organization, self.account, event_type, found, **changes)

    async def settle(self, *messages: Any) -> list[Any]:
        return await self.bench.settle(WORKER, self.payments, messages)

    def look(self, found: str) -> Any:
        """That somebody wants an object of the account to be looked at."""
        body = PaymentLookRequested(account=self.account, object=found, reason="stuck")
        return message(PAYMENTS_LOOK_REQUESTED, self.organization, body)

    async def in_browser(self, intent: str, **given: str) -> Any:
        """What Stripe.js does in the donor's browser: confirm by key and client secret."""
        [secret] = [
            each["client_secret"]
            for each in await self.sandbox.intents(self.account)
            if each["id"] == intent
        ]
        data = {"client_secret": secret, "return_url": "https://example.org/thanks"} | given
        keys = await self.sandbox.ask("GET", "/_sandbox/keys")
        return await self.sandbox.ask(
            *("POST", f"/v1/payment_intents/{intent}/confirm"),
            data=data,
            account=self.account,
            key=keys["publishable_key"],
        )

    async def add_fund(self, currency: str) -> str:
        """Another default fund of the organization."""
        fund = new("fund")
        await self.bench.fetch(
            "INSERT INTO edge.funds (id, organization, name, currency, is_default)"
            " VALUES ($1, $2, 'Other', $3, true)",
            *(fund, self.organization, currency),
        )
        return fund

    async def disable(self) -> None:
        """Stripe lets the account take no charges any more."""
        await self.bench.fetch(
            "UPDATE accounts.accounts SET charges_enabled = false WHERE account = $1",
            self.account,
        )

    async def charge(self, promised: Any, attempt: int = 1) -> Any:
        """The call to Stripe alone, as if the process died after it."""
        return await self.payments.charge(
            *(self.account, attempt, promised, promised.body, promised.body.payment_method),
            begun_before=True,
        )

    async def intent(self, **changes: str) -> str:
        """A payment on the account that we did not make."""
        body = {
            "amount": "2500",
            "currency": "eur",
            "confirm": "true",
            "payment_method": "pm_card_visa",
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
        }
        made = await self.sandbox.ask(
            "POST", "/v1/payment_intents", data=body | changes, account=self.account
        )
        identifier: str = made["id"]
        return identifier

    async def attempt(self, donation: str) -> dict[str, Any]:
        rows = await self.bench.fetch(
            "SELECT *, state::text FROM payments.attempts WHERE donation = $1", donation
        )
        return rows[0]

    async def movements(self) -> list[dict[str, Any]]:
        return await self.bench.fetch(
            "SELECT * FROM payments.movements WHERE organization = $1 ORDER BY requested_at",
            self.organization,
        )

    async def ignored(self) -> list[str]:
        rows = await self.bench.fetch(
            "SELECT reason FROM payments.ignored_events WHERE organization = $1 ORDER BY event",
            self.organization,
        )
        return [row["reason"] for row in rows]


@pytest.fixture
async def scene(bench: Bench, sandbox: Sandbox, payments: Payments) -> Scene:
    return await Scene(bench, sandbox, payments).prepare()
