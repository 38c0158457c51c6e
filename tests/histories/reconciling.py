"""Reconciliation's own sweeps and comparisons, and payouts' rounds, when a history says so.

They are processes with a real clock; here they are called, and what lies in the database gets older
when a history's time passes, since PostgreSQL's clock cannot be moved.
"""

from collections.abc import Sequence, Set
from contextlib import suppress
from datetime import timedelta
from typing import Any

from workers.gateways.stripe_listing import UnreachableError
from workers.payments import expiry
from workers.payments.resources import Payments
from workers.payouts import rounds
from workers.payouts.job import pay_out_organization
from workers.payouts.looking import Payouts
from workers.payouts.store.job import wanted
from workers.reconciliation.account import Resources, Result, check_ledger, reconcile
from workers.reconciliation.store.reading import Account
from workers.reconciliation.sweeping import look_at_stuck, sweep
from workers.runtime.worker import Refused, Transient

#: What is due by the database's clock: table, column.
DUE = (
    ("payments.attempts", "created_at"),
    ("payouts.payouts", "next_look_at"),
    ("reconciliation.stuck", "look_after"),
    ("reconciliation.differences", "look_after"),
)
#: What rounds would come back to in the next history.
FORGET = (
    "UPDATE payments.attempts SET expires_at = NULL WHERE organization = ANY ($1)",
    "UPDATE payouts.payouts SET next_look_at = NULL WHERE organization = ANY ($1)",
    "DELETE FROM reconciliation.stuck WHERE organization = ANY ($1)",
)


class Reconciling:
    """The rounds that no message starts."""

    def __init__(self, resources: Resources, payments: Payments, payouts: Payouts) -> None:
        self._resources = resources
        self._payments = payments
        self._payouts = payouts

    async def sweep(self, accounts: Sequence[Account]) -> None:
        """Undelivered events, what is stuck, gifts unpaid too long, payouts that are due."""
        for account in accounts:
            with suppress(UnreachableError, Transient, Refused):
                await sweep(self._resources, account)
        await look_at_stuck(self._resources, accounts)
        await expiry.sweep(self._payments.pool, self._payments.expiry)
        await self._pay_out({account.organization for account in accounts})
        await rounds.look_again(self._payouts)

    async def _pay_out(self, organizations: Set[str]) -> None:
        now = await self._payouts.clock.now(self._payouts.pool)
        for organization, settings in await wanted(self._payouts.pool):
            if organization in organizations:
                with suppress(Transient, Refused):
                    await pay_out_organization(self._payouts, organization, settings, now)

    async def compare(self, accounts: Sequence[Account]) -> dict[str, Result]:
        """Every account with the ledger, by account; looks are asked for where they differ."""
        results = {
            account.account: await reconcile(self._resources, account, whole=True, at_once=True)
            for account in accounts
        }
        for organization in {account.organization for account in accounts}:
            await check_ledger(self._resources, organization)
        return results

    async def age(self, connection: Any, organizations: Sequence[str], span: timedelta) -> None:
        """Let all that is due by the database's clock be due so much earlier."""
        for table, column in DUE:
            await connection.execute(
                f"UPDATE {table} SET {column} = {column} - $1::interval"
                " WHERE organization = ANY ($2)",
                span,
                list(organizations),
            )

    async def forget(self, connection: Any, organizations: Sequence[str]) -> None:
        """Let nothing of these organizations ever be due."""
        for statement in FORGET:
            await connection.execute(statement, list(organizations))
