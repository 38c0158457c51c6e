"""The relay as a process: killed between acknowledgement and deletion, replaced, hurried along."""

import asyncio
import signal
from collections import Counter
from typing import Any

import asyncpg
import pytest

from tests.databases import role_dsn
from tests.workers.runtime.conftest import ProbeDatabase
from tests.workers.runtime.processes import RELAY, Lab, orders, until
from topics import codec, outbox


async def queue(lab: Lab, records: list[codec.Record], *, at_once: int = 100) -> None:
    connection = await asyncpg.connect(lab.superuser)
    for start in range(0, len(records), at_once):
        async with connection.transaction():
            await outbox.queue(connection, records[start : start + at_once])
    await connection.close()


def encoded(lab: Lab, count: int) -> list[codec.Record]:
    return [codec.encode(lab.topic, message) for message in orders(lab.topic, count)]


async def waiting(lab: Lab) -> int:
    sql = "SELECT count(*) AS number FROM messages.outbox WHERE topic = $1"
    return int((await lab.fetch(sql, lab.topic.name))[0]["number"])


async def relayed(lab: Lab) -> None:
    async def empty() -> bool:
        return await waiting(lab) == 0

    await until(empty, "the outbox is empty")


def relay_variables(database: ProbeDatabase) -> dict[str, str]:
    return {"AMPLY_POSTGRES": role_dsn(database.superuser, "relay")}


def first_sights(records: list[Any]) -> list[Any]:
    by_id: dict[bytes, Any] = {}
    for record in records:
        by_id.setdefault(dict(record.headers)["ce_id"], record)
    return list(by_id.values())


@pytest.mark.parametrize("step", ["relay.acknowledged", "relay.deleted"])
async def test_a_killed_relay_loses_nothing_and_keeps_the_order(
    lab: Lab, probe_database: ProbeDatabase, step: str
) -> None:
    records = encoded(lab, 2500)
    await queue(lab, records)
    doomed = await lab.start(RELAY, **relay_variables(probe_database), AMPLY_FAILPOINT=f"{step}:2")
    assert await asyncio.wait_for(doomed.wait(), 60) == -signal.SIGKILL, lab.logs()
    assert lab.marker(step).exists()
    assert await waiting(lab) > 0
    process = await lab.start(RELAY, **relay_variables(probe_database))
    await relayed(lab)
    await lab.stop(process)
    found = await lab.read(lab.topic.name, lab.topic.partitions)
    doubled = len(found) - len(first_sights(found))
    assert (doubled > 0) is (step == "relay.acknowledged"), "unacknowledged is sent again"
    wanted: dict[bytes, list[bytes]] = {}
    for record in records:
        wanted.setdefault(record.key, []).append(record.value)
    got: dict[bytes, list[bytes]] = {}
    for record in first_sights(found):
        got.setdefault(record.key, []).append(record.value)
    assert got == wanted
    assert all(tuple(one.headers) in {record.headers for record in records} for one in found[:50])


async def test_one_relay_relays_and_the_next_takes_over(
    lab: Lab, probe_database: ProbeDatabase
) -> None:
    first = await lab.start(RELAY, **relay_variables(probe_database))
    await queue(lab, encoded(lab, 10))
    await relayed(lab)
    second = await lab.start(RELAY, **relay_variables(probe_database))

    async def both_connected() -> bool:
        sql = (
            "SELECT count(*) AS number FROM pg_stat_activity WHERE application_name = 'amply-relay'"
        )
        return bool((await lab.fetch(sql))[0]["number"] == 2)

    await until(both_connected, "the second relay waits for its turn")
    first.kill()
    await queue(lab, encoded(lab, 10))
    await relayed(lab)
    await lab.stop(second)
    found = await lab.read(lab.topic.name, lab.topic.partitions)
    assert len(found) == 20


async def test_a_topic_that_kafka_does_not_know_holds_up_no_other(
    lab: Lab, probe_database: ProbeDatabase
) -> None:
    records = encoded(lab, 20)
    unknown = codec.Record("test.unknown", None, b"k", b"{}", records[0].headers)
    no_partition = codec.Record(lab.topic.name + ".gone", 99, b"k", b"{}", records[0].headers)
    await queue(lab, [unknown, no_partition, *records], at_once=1000)
    process = await lab.start(RELAY, **relay_variables(probe_database))
    await relayed(lab)
    await queue(lab, encoded(lab, 20))
    await relayed(lab)
    await lab.stop(process)
    sql = "DELETE FROM messages.outbox WHERE topic = ANY($1::text[]) RETURNING position"
    assert len(await lab.fetch(sql, [unknown.topic, no_partition.topic])) == 2
    assert "topic_held" in lab.logs()


async def test_what_workers_send_reaches_kafka_once_per_id(
    lab: Lab, probe_database: ProbeDatabase
) -> None:
    relay = await lab.start(RELAY, **relay_variables(probe_database))
    worker = await lab.start(PROBE_KIND="decide")
    await queue(lab, encoded(lab, 100))
    await lab.all_took_effect(100)
    await lab.stop(worker)
    await lab.stop(relay)
    assert Counter(await lab.effects()) == Counter(range(100))
