from collections.abc import AsyncIterator

import pytest

from tests.workers.bench import Bench
from tests.workers.conftest import Sandbox
from tests.workers.payouts.scenes import Own, Scene
from workers.payouts.looking import Payouts
from workers.payouts.worker import open_payouts


@pytest.fixture
async def payouts(bench: Bench, sandbox: Sandbox) -> AsyncIterator[Payouts]:
    settings = {
        **sandbox.settings,
        "AMPLY_POSTGRES": bench.role_dsn("payouts"),
        "AMPLY_ENVIRONMENT": "test",
    }
    async with open_payouts(settings) as opened:
        yield opened


@pytest.fixture
async def scene(bench: Bench, sandbox: Sandbox, payouts: Payouts) -> Scene:
    return await Scene(bench, sandbox, payouts).prepare()


@pytest.fixture
def own(bench: Bench, sandbox: Sandbox, payouts: Payouts) -> Own:
    return Own(bench, sandbox, payouts)
