"""Asks the process `reconciliation` for a run, waits for it, and reads what it found.

The command holds no key of Stripe's: with the role of operators it can ask and read, nothing else.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from deploy.reconciling import store

#: How long a request may lie before it is clear that no process takes it.
TAKEN_S_MAX: Final = 60.0
POLL_S: Final = 0.2


class NotRunError(RuntimeError):
    """No run came of the request; the text says why."""


@dataclass(frozen=True, slots=True)
class Report:
    """Accounts with their newest run and sums, and what is open; rows as they are stored."""

    accounts: list[dict[str, Any]] = field(default_factory=list)
    differences: list[dict[str, Any]] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether Stripe and the ledger say the same of every account."""
        return not any(one["is_fault"] for one in self.differences) and all(
            account["outcome"] == "agreed" for account in self.accounts
        )

    @property
    def failed(self) -> list[str]:
        """Accounts that could not be compared."""
        return [one["account"] for one in self.accounts if one["outcome"] == "failed"]


async def request_run(connection: Any, organization: str | None, wait_s: float) -> None:
    """Have everything compared now, of one organization or of all; NotRunError when nobody does."""
    request = uuid4()
    await store.request(connection, request, organization)
    loop = asyncio.get_running_loop()
    started = loop.time()
    while True:
        is_taken, is_finished = await store.state(connection, request)
        waited = loop.time() - started
        if is_finished:
            return
        if not is_taken and waited >= min(TAKEN_S_MAX, wait_s):
            raise NotRunError("no process took the request: is `reconciliation` running?")
        if waited >= wait_s:
            raise NotRunError(f"the run did not end within {wait_s:.0f} s; it goes on")
        await asyncio.sleep(POLL_S)


async def read_report(connection: Any, organization: str | None) -> Report:
    """What the newest runs found, in one snapshot."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        accounts = await store.accounts(connection, organization)
        differences = await store.differences(connection, organization)
    return Report(accounts, differences)
