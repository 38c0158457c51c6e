from collections.abc import AsyncIterator, Iterator

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
    await cleaner.http.close_async()


@pytest.fixture
async def shop(sandbox: Sandbox) -> AsyncIterator[Shop]:
    """A client with a fresh German account on the module's sandbox."""
    shop = Shop(sandbox)
    await shop.open_account()
    yield shop
    await shop.http.close_async()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.stop()
