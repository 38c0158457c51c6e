from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from contracts.identifiers import type_id
from ledger.entry import Request
from ledger.store import pen
from tests.ledger.database import append
from tests.ledger.making import ORIGIN, donation, genesis, postings
from tests.workers.bench import Bench, new
from tests.workers.conftest import Sandbox
from workers.gateways.database import open_pool
from workers.gateways.stripe_gateway import open_stripe
from workers.gateways.stripe_listing import Listing
from workers.reconciliation.account import Resources
from workers.reconciliation.store.reading import Account

MOVE = """
    INSERT INTO payments.movements (organization, account, balance_transaction, category, source,
        fund, currency, amount_minor, fee_minor, net_minor, entry, occurred_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, to_timestamp($12))
"""


class Scene:
    """An organization with an account at the sandbox, and a ledger that tests write into."""

    def __init__(self, bench: Bench, sandbox: Sandbox, resources: Resources) -> None:
        self.bench, self.sandbox, self.resources = bench, sandbox, resources

    async def prepare(self) -> "Scene":
        self.account = await self.sandbox.account()
        manual = {"settings[payouts][schedule][interval]": "manual"}  # Payouts when tests say so.
        await self.sandbox.ask("POST", f"/v1/accounts/{self.account}", data=manual)
        self.organization, self.fund = await self.bench.organization(self.account)
        await self.record(genesis(self.organization))
        return self

    @property
    def known(self) -> Account:
        slug = self.organization.replace("_", "-")
        return Account(self.organization, slug, self.account)

    async def charge(self, *, amount: int = 2500, **metadata: str) -> Any:
        """A charge with its balance transaction; of ours unless `metadata` says otherwise."""
        ours = metadata or {"donation": new("don"), "organization": self.organization}
        data = {
            "amount": str(amount),
            "currency": "eur",
            "confirm": "true",
            "payment_method": "pm_card_bypassPending",
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
            "expand[]": "latest_charge.balance_transaction",
            **{f"metadata[{name}]": value for name, value in ours.items() if value},
        }
        made = await self.sandbox.ask(
            "POST", "/v1/payment_intents", data=data, account=self.account
        )
        return made["latest_charge"]

    async def payout(self, amount: int) -> Any:
        data = {"amount": str(amount), "currency": "eur"}
        return await self.sandbox.ask("POST", "/v1/payouts", data=data, account=self.account)

    async def row(self, charge: Any, entry: str, **changes: Any) -> None:
        """A movement as payments would note it; `changes` doctor it."""
        moved = charge["balance_transaction"]
        values = {
            "organization": self.organization,
            "account": self.account,
            "id": moved["id"],
            "category": moved["reporting_category"],
            "source": charge["id"],
            "fund": self.fund,
            "currency": moved["currency"].upper(),
            "amount": moved["amount"],
            "fee": moved["fee"],
            "net": moved["net"],
            "entry": entry,
            "created": moved["created"],
        } | changes
        await self.bench.fetch(MOVE, *values.values())

    async def entry(self, entry: str, net_minor: int, **changes: Any) -> None:
        """An entry as the ledger would record it."""
        lines = postings(net_minor, self.fund)
        await self.record(donation(self.organization, entry, id=entry, postings=lines, **changes))

    async def book(self, charge: Any, **changes: Any) -> str:
        """All that follows from a charge: row and entry."""
        entry = new("ent")
        await self.row(charge, entry, **changes)
        await self.entry(entry, charge["balance_transaction"]["net"])
        return entry

    async def record(self, *requests: Request) -> None:
        connection = await asyncpg.connect(self.bench.dsn)
        try:
            taken = await pen.take(connection, 0, ORIGIN, "test")
            decision = await append(connection, taken, requests)
            assert not decision.refused and not decision.waiting, decision
        finally:
            await connection.close()

    async def items(self, *, healed: bool = False) -> list[dict[str, Any]]:
        return await self.bench.fetch(
            "SELECT * FROM reconciliation.differences WHERE organization = $1"
            " AND (healed_at IS NOT NULL) = $2 ORDER BY id",
            *(self.organization, healed),
        )

    async def classes(self) -> dict[str, tuple[str, str]]:
        return {row["subject"]: (row["class"], row["reason"]) for row in await self.items()}

    async def sums(self) -> dict[str, Any]:
        [row] = await self.bench.fetch(
            "SELECT * FROM reconciliation.sums WHERE account = $1", self.account
        )
        return row

    async def balance(self) -> int:
        body = await self.sandbox.ask("GET", "/v1/balance", account=self.account)
        return sum(part["amount"] for part in (*body["available"], *body["pending"]))


def entry_id(message: Any) -> str:
    return type_id("ent", message.id)


@pytest.fixture
async def resources(bench: Bench, sandbox: Sandbox) -> AsyncIterator[Resources]:
    settings = {**sandbox.settings, "AMPLY_POSTGRES": bench.role_dsn("reconciliation")}
    async with open_pool(settings) as pool, open_stripe(settings, "reconciliation") as gateway:
        yield Resources(pool, Listing(gateway, 0.0))
    await sandbox.ask("DELETE", "/_sandbox/faults")


@pytest.fixture
async def scene(bench: Bench, sandbox: Sandbox, resources: Resources) -> Scene:
    return await Scene(bench, sandbox, resources).prepare()
