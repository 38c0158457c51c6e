"""Replaying, duplicating and shuffling every topic ten times leaves the same entries and mails."""

import os
import random
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.platform import Running, all_recorded, give, until
from topics.registry import TOPICS
from workers.__main__ import WORKERS

SEED = int(os.environ.get("AMPLY_SEED", "20261125"))
TIMES = 10


async def everything(running: Running) -> list[Any]:
    """Every record of every topic."""
    records: list[Any] = []
    consumer = AIOKafkaConsumer(
        bootstrap_servers=running.settings["AMPLY_KAFKA"], enable_auto_commit=False
    )
    await consumer.start()
    try:
        partitions = [
            TopicPartition(name, number)
            for name, topic in TOPICS.items()
            for number in range(topic.partitions)
        ]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(one) < ends[one] for one in partitions]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records.extend(batch)
    finally:
        await consumer.stop()
    return records


async def entries(running: Running) -> list[Any]:
    return await running.fetch("SELECT id, organization, seq, bytes FROM read.entries ORDER BY id")


async def lag_is_zero(running: Running) -> bool:
    """Every worker has handled all that its topics hold."""
    from aiokafka.admin import AIOKafkaAdminClient

    admin = AIOKafkaAdminClient(bootstrap_servers=running.settings["AMPLY_KAFKA"])
    consumer = AIOKafkaConsumer(bootstrap_servers=running.settings["AMPLY_KAFKA"])
    await admin.start()
    await consumer.start()
    try:
        for group in WORKERS:
            committed = await admin.list_consumer_group_offsets(group)
            ends = await consumer.end_offsets(list(committed))
            if any(committed[one].offset < ends[one] for one in committed):
                return False
        rows = await running.fetch("SELECT next_offset FROM ledger.writers WHERE log = 0")
        ends = await consumer.end_offsets([TopicPartition("entries.requested.v1", 0)])
        outbox = await running.fetch("SELECT count(*) AS n FROM messages.outbox")
        return bool(rows[0]["next_offset"] == max(ends.values()) and outbox[0]["n"] == 0)
    finally:
        await consumer.stop()
        await admin.close()


async def test_ten_shuffled_replays_of_every_topic_change_nothing(running: Running) -> None:
    donations = await give(running, 40, prefix="replayed")
    await all_recorded(running, donations, 60)
    await until(lambda: lag_is_zero(running), what="everything is handled")
    before = await entries(running)
    states = await running.fetch("SELECT id, status FROM donations.donations ORDER BY id")
    mails = len(list((running.data.path / "mail").rglob("*.eml")))
    records = [record for record in await everything(running) for _ in range(TIMES)]
    print(f"AMPLY_SEED={SEED}: {len(records)} records")
    random.Random(SEED).shuffle(records)
    producer = AIOKafkaProducer(
        bootstrap_servers=running.settings["AMPLY_KAFKA"], enable_idempotence=True
    )
    await producer.start()
    try:
        for record in records:
            await producer.send(
                record.topic,
                record.value,
                key=record.key,
                partition=record.partition,
                headers=list(record.headers),
            )
    finally:
        await producer.stop()
    await until(lambda: lag_is_zero(running), what="the replays are handled", timeout_s=180)
    assert await entries(running) == before
    assert states == await running.fetch("SELECT id, status FROM donations.donations ORDER BY id")
    assert len(list((running.data.path / "mail").rglob("*.eml"))) == mails
