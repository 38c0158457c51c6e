"""An organization's account from onboarding to its loss, on every process and engine."""

import os
import secrets
import signal
from typing import Any

import aiohttp
import asyncpg

from deploy import connecting
from deploy.client import EdgeClient, RefusedByEdgeError
from deploy.demonstration import fill_in
from deploy.deployment import ORIGIN, role_dsn
from edge.organizations.service import SCOPES_DEFAULT, register_organization
from tests.acceptance.test_operations import amply
from tests.platform import SETTLED, Running, until

SCOPES = (*SCOPES_DEFAULT, "accounts:read", "accounts:write")


class Charity:
    """An organization of its own, so that nobody else's account changes."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.slug = f"moving-{secrets.token_hex(4)}"

    async def register(self) -> "Charity":
        secret = self.running.data.key("postgres-roles.key")
        dsn = role_dsn(self.running.platform.superuser_dsn, secret, "edge")
        connection = await asyncpg.connect(dsn)
        try:
            registered = await register_organization(
                connection,
                master_key=self.running.data.key("master.key"),
                environment="test",
                origin=ORIGIN,
                slug=self.slug,
                name="Moving House",
                currencies=("USD",),
                scopes=SCOPES,
            )
        finally:
            await connection.close()
        self.id, self.key = registered.id, registered.key.secret

        async def permitted() -> bool:
            rows = await self.running.fetch(
                "SELECT FROM read.permission_tokens WHERE organization = $1", self.id
            )
            return bool(rows)

        await until(permitted, what="SpiceDB knows the organization")
        return self

    def edge(self) -> EdgeClient:
        return EdgeClient(self.running.settings["AMPLY_URL"], self.key)

    async def set_up(self, edge: EdgeClient, *, replace: bool = False) -> str:
        """An account, onboarded as a person would."""

        account = await connecting.make_account(edge, self.slug, "US", replace=replace)
        await fill_in((await connecting.make_link(edge, self.slug))["url"])

        async def is_current() -> bool:
            rows = await self.running.fetch(
                "SELECT FROM read.accounts WHERE account = $1 AND is_current AND charges_enabled",
                account,
            )
            return bool(rows)

        await until(is_current, what=f"{account} is current")
        return account

    async def promise(self, edge: EdgeClient) -> str:
        """A gift that was accepted."""
        body = {
            "organization": self.slug,
            "amount_minor": 1000,
            "currency": "USD",
            "payment_method": "pm_card_visa",
        }
        return str((await edge.donate(body, secrets.token_hex(8))).donation["id"])

    async def settled(self, edge: EdgeClient, gift: str) -> dict[str, Any]:
        async def is_settled() -> dict[str, Any] | None:
            shown = await edge.donation(gift, wait_s=10)
            return shown if shown["status"] in SETTLED else None

        shown = await until(is_settled, what=f"{gift} is settled")
        assert shown is not None
        return shown

    async def give(self, edge: EdgeClient) -> dict[str, Any]:
        """A gift as it stands when it is settled."""
        return await self.settled(edge, await self.promise(edge))

    async def is_refused(self, edge: EdgeClient) -> bool:
        try:
            await self.promise(edge)
        except RefusedByEdgeError as error:
            return error.code == "account_unavailable"
        return False

    async def control(self, what: str, **given: Any) -> None:
        settings = self.running.settings
        headers = {"Authorization": f"Bearer {settings['AMPLY_STRIPE_KEY']}"}
        url = f"{settings['AMPLY_STRIPE']}/_sandbox/{what}"
        async with (
            aiohttp.ClientSession(headers=headers, raise_for_status=True) as session,
            session.post(url, json=given),
        ):
            return

    async def account_of(self, gift: dict[str, Any]) -> str:
        [row] = await self.running.fetch(
            "SELECT account FROM payments.attempts WHERE donation = $1", gift["id"]
        )
        return str(row["account"])


async def test_demonstration_was_onboarded_like_everybody(running: Running) -> None:
    output = await amply(running, "accounts", "show")
    assert output.startswith("active: ")
    [row] = await running.fetch(
        "SELECT count(*) AS n FROM accounts.requests WHERE action IN ('create', 'onboard')"
        " AND organization = (SELECT id FROM edge.organizations WHERE slug = $1)",
        running.settings["AMPLY_ORGANIZATION"],
    )
    assert row["n"] >= 2


async def test_an_account_is_set_up_lost_and_left_for_another(running: Running) -> None:
    charity = await Charity(running).register()
    async with charity.edge() as edge:
        assert (await connecting.show_account(edge, charity.slug))["state"] == "none"
        first = await charity.set_up(edge)
        gift = await charity.give(edge)
        assert (gift["status"], await charity.account_of(gift)) == ("recorded", first)

        # Stripe takes charges away: no gift from the event on; and gives them back.
        await charity.control(f"accounts/{first}", charges_enabled=False)
        await until(lambda: charity.is_refused(edge), what="the edge takes no gift")
        await charity.control(f"accounts/{first}", charges_enabled=True)

        async def accepts() -> bool:
            return not await charity.is_refused(edge)

        await until(accepts, what="the edge takes gifts again")

        # A new account, and the old one's late event: a refund made in its Dashboard.
        second = await charity.set_up(edge, replace=True)
        moved = await charity.give(edge)
        assert (moved["status"], await charity.account_of(moved)) == ("recorded", second)
        [attempt] = await running.fetch(
            "SELECT charge FROM payments.attempts WHERE donation = $1", gift["id"]
        )
        await charity.control(f"charges/{attempt['charge']}/refunds")

        async def is_refunded() -> bool:
            rows = await running.fetch(
                "SELECT FROM read.entries WHERE organization = $1 AND kind = 'refund'", charity.id
            )
            return bool(rows)

        await until(is_refunded, what="the old account's refund is in the ledger")

        # Accepted, then revoked before the charge: the gift ends, without a loop.
        payments = running.platform.supervisor.processes()["payments"]
        os.kill(payments, signal.SIGSTOP)
        accepted = await charity.promise(edge)
        await charity.control(f"accounts/{second}/deauthorize")
        await until(lambda: charity.is_refused(edge), what="the edge takes no gift")
        os.kill(payments, signal.SIGCONT)
        ended = await charity.settled(edge, accepted)
        assert ended["failure"]["code"] == "account_unavailable"
        assert (await connecting.show_account(edge, charity.slug))["state"] == "revoked"
        aside = await running.fetch(
            "SELECT code FROM messages.set_aside WHERE organization = $1", charity.id
        )
        assert aside == []
