"""Worker processes on real Kafka and PostgreSQL: killed, stopped, joined by a second one."""

import asyncio
import signal
from typing import Any

import pytest

from tests.workers.runtime.probe import order
from tests.workers.runtime.processes import Lab, orders, until


@pytest.mark.parametrize("kind", ["decide", "act"])
@pytest.mark.parametrize("step", ["runtime.before_commit", "runtime.committed"])
async def test_a_killed_worker_loses_and_doubles_nothing(lab: Lab, kind: str, step: str) -> None:
    await lab.publish(orders(lab.topic, 200), lab.topic)
    doomed = await lab.start(PROBE_KIND=kind, AMPLY_RECORDS_MAX="20", AMPLY_FAILPOINT=f"{step}:3")
    assert await asyncio.wait_for(doomed.wait(), 60) == -signal.SIGKILL, lab.logs()
    assert lab.marker(step).exists()
    assert 0 < len(await lab.effects()) < 200
    process = await lab.start(PROBE_KIND=kind)
    await lab.all_took_effect(200)
    await lab.stop(process)
    assert await lab.effects() == dict.fromkeys(range(200), 1)
    await lab.order_is_kept()
    assert await lab.committed(lab.name, lab.topic) == 200


async def handling_a_slow_message(lab: Lab) -> Any:
    """A process that has handled message 0 and is in the middle of message 1."""
    process = await lab.start(PROBE_KIND="decide")
    await lab.publish(orders(lab.topic, 1), lab.topic)
    await lab.all_took_effect(1)
    await lab.publish([order(lab.topic, 1, behaviour="slow")], lab.topic)

    async def handling() -> bool:
        sql = (
            "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
            " AND state = 'active' AND application_name = $1"
        )
        return bool(await lab.fetch(sql, f"amply-{lab.name}"))

    await until(handling, "the slow message is being handled")
    return process


async def test_sigterm_lets_the_handler_finish_and_commits(lab: Lab) -> None:
    process = await handling_a_slow_message(lab)
    await lab.stop(process)
    assert await lab.effects() == {0: 1, 1: 1}
    assert await lab.committed(lab.name, lab.topic) == 2


async def test_a_second_signal_ends_it_at_once_and_nothing_is_lost(lab: Lab) -> None:
    process = await handling_a_slow_message(lab)
    process.send_signal(signal.SIGTERM)

    async def stopping() -> bool:
        return '"stopping"' in lab.logs()

    await until(stopping, "the first signal was taken")
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 30) == 1
    assert await lab.effects() == {0: 1}
    await lab.start(PROBE_KIND="decide")
    await lab.all_took_effect(2)


async def test_two_processes_share_the_work_and_hand_it_over(lab: Lab) -> None:
    first = await lab.start(PROBE_KIND="decide", AMPLY_RECORDS_MAX="5")
    messages = orders(lab.topic, 900)
    await lab.publish(messages[:300], lab.topic)

    async def begun() -> bool:
        return bool(await lab.effects())

    await until(begun, "the first process works")
    await lab.start(PROBE_KIND="decide", AMPLY_RECORDS_MAX="5", AMPLY_INSTANCE="second")
    for start in range(300, 600, 20):
        await lab.publish(messages[start : start + 20], lab.topic)

    async def both_work() -> bool:
        sql = "SELECT DISTINCT pid FROM probe.effects WHERE worker = $1"
        return len(await lab.fetch(sql, lab.name)) == 2

    extra = 600

    async def both_work_while_more_comes() -> bool:
        nonlocal extra
        if extra < 800:
            await lab.publish(messages[extra : extra + 10], lab.topic)
            extra += 10
        return await both_work()

    await until(both_work_while_more_comes, "both processes have partitions")
    await lab.stop(first)
    await lab.publish(messages[extra:], lab.topic)
    await lab.all_took_effect(900)
    await lab.order_is_kept()


async def test_health_and_metrics_are_served(lab: Lab, unused_tcp_port: int) -> None:
    process = await lab.start(PROBE_KIND="decide", AMPLY_METRICS_PORT=str(unused_tcp_port))
    await lab.publish(orders(lab.topic, 5), lab.topic)
    await lab.all_took_effect(5)

    async def get(path: str) -> tuple[str, str]:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        except OSError:
            return "", ""
        writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        return answer.split(" ")[1], answer

    async def ready() -> bool:
        return (await get("/readyz"))[0] == "200"

    await until(ready, "the worker says that it is ready")
    assert (await get("/livez"))[0] == "200"
    status, metrics = await get("/metrics")
    assert status == "200"
    assert "worker_messages_handled_total 5.0" in metrics
    assert "worker_consumer_lag 0.0" in metrics
    await lab.stop(process)
