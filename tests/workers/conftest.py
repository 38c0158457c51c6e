import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.engines import LoopThread
from tests.workers.bench import Bench

STRIPE_KEY = "sk_test_bench"


@pytest.fixture(scope="module")
def bench(postgres_database: Callable[[], str], engine_loop: LoopThread) -> Bench:
    made = Bench(postgres_database())
    engine_loop.run(made.prepare())
    return made


class Sandbox:
    """The Stripe stand-in as a process of its own."""

    def __init__(self, url: str) -> None:
        self.settings = {"AMPLY_STRIPE": url, "AMPLY_STRIPE_KEY": STRIPE_KEY}
        self._url = url

    async def ask(self, method: str, path: str, **how: Any) -> Any:
        """One request: `json` for the control API, `data` and `account` for Stripe's.

        `key` is another one than the platform's secret key.
        """
        headers = {"Authorization": f"Bearer {how.pop('key', STRIPE_KEY)}"}
        if account := how.pop("account", None):
            headers["Stripe-Account"] = account
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, self._url + path, **how) as response,
        ):
            body = await response.json()
            assert response.status < 300, body
            return body

    async def account(self, country: str = "DE") -> str:
        body = await self.ask(
            "POST",
            "/v1/accounts",
            data={
                "type": "express",
                "country": country,
                "capabilities[card_payments][requested]": "true",
                "capabilities[transfers][requested]": "true",
            },
        )
        identifier: str = body["id"]
        await self.control(f"accounts/{identifier}", charges_enabled=True, payouts_enabled=True)
        return identifier

    async def control(self, what: str, **given: Any) -> Any:
        return await self.ask("POST", f"/_sandbox/{what}", json=given)

    async def intents(self, account: str) -> list[Any]:
        body = await self.ask("GET", "/v1/payment_intents?limit=100", account=account)
        listed: list[Any] = body["data"]
        return listed


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    data = tmp_path_factory.mktemp("sandbox")
    command = [sys.executable, "-m", "deploy.sandbox", "--port", "0", "--data", str(data)]
    process = subprocess.Popen(
        command,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "AMPLY_STRIPE_KEY": STRIPE_KEY},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield Sandbox(json.loads(process.stdout.readline())["url"])
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@pytest.fixture
def master_key_file(tmp_path: Path) -> Path:
    path = tmp_path / "master.key"
    path.write_text("11" * 32 + "\n")
    path.chmod(0o600)
    return path
