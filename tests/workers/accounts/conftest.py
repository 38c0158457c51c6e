from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contracts.accounts import AccountRequested
from tests.workers.bench import Bench, event, message, new
from tests.workers.conftest import Sandbox
from topics.registry import ACCOUNTS_REQUESTED
from workers.accounts.resources import Accounts, open_accounts
from workers.accounts.worker import WORKER


@pytest.fixture
async def accounts(
    bench: Bench, sandbox: Sandbox, master_key_file: Path
) -> AsyncIterator[Accounts]:
    settings = {
        **sandbox.settings,
        "AMPLY_POSTGRES": bench.role_dsn("accounts"),
        "AMPLY_MASTER_KEY": str(master_key_file),
        "AMPLY_URL": URL,
    }
    async with open_accounts(settings) as opened:
        yield opened
    await sandbox.ask("DELETE", "/_sandbox/faults")


URL = "https://amply.test"


class Scene:
    """An organization without an account, and what happens to those it gets."""

    def __init__(self, bench: Bench, sandbox: Sandbox, accounts: Accounts) -> None:
        self.bench, self.sandbox, self.accounts = bench, sandbox, accounts

    async def prepare(self) -> "Scene":
        self.organization, _ = await self.bench.organization(has_account=False)
        return self

    def asked(self, action: str, account: str | None = None, **given: Any) -> Any:
        body = AccountRequested(
            request=given.pop("request", new("areq")),
            action=action,
            account=account,
            country=given.pop("country", None),
        )
        return message(ACCOUNTS_REQUESTED, self.organization, body, **given)

    def told(self, event_type: str, account: str) -> Any:
        return event(self.organization, account, event_type, account)

    async def settle(self, *messages: Any) -> list[Any]:
        return await self.bench.settle(WORKER, self.accounts, messages)

    async def adopted(self, **state: Any) -> str:
        """An account that the organization adopted."""
        account = await self.sandbox.account()
        if state:
            await self.sandbox.control(f"accounts/{account}", **state)
        await self.settle(self.asked("adopt", account))
        return account

    async def row(self, account: str) -> dict[str, Any]:
        rows = await self.bench.fetch("SELECT * FROM read.accounts WHERE account = $1", account)
        return rows[0]

    async def stages(self) -> dict[str, str]:
        rows = await self.bench.fetch(
            "SELECT account, stage FROM read.accounts WHERE organization = $1", self.organization
        )
        return {row["account"]: row["stage"] for row in rows}

    async def answer(self, asked: Any) -> tuple[str, str | None, str | None]:
        rows = await self.bench.fetch(
            "SELECT outcome, code, account FROM accounts.requests WHERE request = $1",
            asked.body.request,
        )
        return rows[0]["outcome"], rows[0]["code"], rows[0]["account"]


@pytest.fixture
async def scene(bench: Bench, sandbox: Sandbox, accounts: Accounts) -> Scene:
    return await Scene(bench, sandbox, accounts).prepare()
