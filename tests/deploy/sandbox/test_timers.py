from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.sandbox import timers
from deploy.sandbox.calls import Call, World
from deploy.sandbox.deliveries import Deliveries, DeliverySettings
from deploy.sandbox.engine import Engine
from deploy.sandbox.errors import StripeError
from deploy.sandbox.faults import Faults
from deploy.sandbox.store import Store

DAY_S = 86_400
ran: list[tuple[str, int]] = []


@timers.on("test.note")
def _note(call: Call) -> None:
    ran.append((call.ids[0], call.now))
    if call.ids[0] == "again":
        timers.start(call, "test.note", "followed", call.now + 1)


@timers.on("test.refuse")
def _refuse(call: Call) -> None:
    call.store.set_setting("refused", "half done")
    raise StripeError(400, "no longer")


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    world = World(Store(tmp_path / "sandbox.sqlite3", 0.0), "acct_platform", "ca_1", "")
    faults = Faults()
    engine = Engine(world, faults, Deliveries(world, faults, DeliverySettings()), "sk_test_x")
    await engine.start()
    ran.clear()
    yield engine
    await engine.stop()


async def begin(engine: Engine, kind: str, name: str, after_s: int) -> int:
    call = Call(engine.world, "acct_1", {})
    due = call.now + after_s
    await engine.run(call, lambda call: timers.start(call, kind, name, due))
    return due


async def test_timers_run_at_their_own_times_in_order_when_the_clock_passes(engine: Engine) -> None:
    late = await begin(engine, "test.note", "late", 3 * DAY_S)
    again = await begin(engine, "test.note", "again", DAY_S)
    await begin(engine, "test.note", "never", 30 * DAY_S)
    assert await engine.run_timers() == 0
    engine.world.clock_offset_s += 4 * DAY_S
    assert await engine.run_timers() == 3
    assert ran == [("again", again), ("followed", again + 1), ("late", late)]
    assert await engine.run_timers() == 0


async def test_refused_timer_is_undone_and_does_not_stop_the_others(engine: Engine) -> None:
    await begin(engine, "test.refuse", "first", DAY_S)
    await begin(engine, "test.note", "second", 2 * DAY_S)
    engine.world.clock_offset_s += 4 * DAY_S
    assert await engine.run_timers() == 2
    assert [name for name, _ in ran] == ["second"]
    assert engine.world.store.setting("refused") is None


async def test_canceled_timer_does_not_run(engine: Engine) -> None:
    await begin(engine, "test.note", "gone", 1)
    call = Call(engine.world, "acct_1", {})
    await engine.run(call, lambda call: timers.cancel(call, "test.note", "gone"))
    engine.world.clock_offset_s += DAY_S
    assert await engine.run_timers() == 0
