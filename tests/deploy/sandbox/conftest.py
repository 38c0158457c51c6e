from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.deploy.sandbox.harness import Receiver, Sandbox, Shop


@pytest.fixture(scope="module")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(
        tmp_path_factory.mktemp("sandbox"), "--retry-delay-s", "0.05", "--retry-delay-s-max", "0.4"
    )
    sandbox.start()
    yield sandbox
    assert sandbox.stop() == 0


@pytest.fixture
async def sandbox(shared_sandbox: Sandbox) -> AsyncIterator[Sandbox]:
    """The module's sandbox without webhook endpoints and without faults of another test."""
    yield shared_sandbox
    shared_sandbox.control("DELETE", "faults")
    shared_sandbox.control("POST", "deliveries/resume")
    shared_sandbox.control("POST", "late_transactions", {"enabled": False})
    cleaner = Shop(shared_sandbox)
    for endpoint in (await cleaner.api.webhook_endpoints.list_async({"limit": 100})).data:
        await cleaner.api.webhook_endpoints.delete_async(endpoint.id)
    await cleaner.close()


@pytest.fixture
async def start_shop(tmp_path: Path) -> AsyncIterator[Callable[..., tuple[Sandbox, Shop]]]:
    """A function: start a sandbox of this test's own, with options, and a client for it."""
    started: list[tuple[Sandbox, Shop]] = []

    def start(*options: str) -> tuple[Sandbox, Shop]:
        sandbox = Sandbox(tmp_path, *options)
        sandbox.start()
        started.append((sandbox, Shop(sandbox)))
        return started[-1]

    yield start
    for sandbox, shop in started:
        await shop.close()
        assert sandbox.stop() == 0


@pytest.fixture
async def shop(sandbox: Sandbox) -> AsyncIterator[Shop]:
    """A client with a fresh German account on the module's sandbox."""
    shop = Shop(sandbox)
    await shop.open_account()
    yield shop
    await shop.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.stop()
