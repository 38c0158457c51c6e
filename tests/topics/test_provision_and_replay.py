"""Topics made once and watched for drift; a stretch of one published again, on a real broker."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contracts.checkpoints import CheckpointPublished
from contracts.identifiers import random_id, type_id
from contracts.message import Envelope
from deploy.embedded import Addresses
from topics import codec, registry
from topics.provision import Drift, ProvisionError, provision
from topics.publisher import Publisher
from topics.registry import CHECKPOINTS_PUBLISHED, INBOX_RETENTION_DAYS, TOPICS
from topics.replay import REPLAY_HEADER, ReplayRefusedError, Stretch, replay
from topics.topic import Topic

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def fresh_topic(**changes: Any) -> Topic[CheckpointPublished]:
    name = f"test.{uuid4().hex[:8]}.v1"
    return replace(CHECKPOINTS_PUBLISHED, name=name, partitions=3, **changes)


async def test_topics_are_made_once_and_a_smaller_number_is_refused(engines: Addresses) -> None:
    topics = [fresh_topic(), fresh_topic(compacted=False, retention_days=30)]
    first = await provision(engines.kafka_bootstrap, topics)
    assert first.created == [topic.name for topic in topics] and first.drifts == []
    second = await provision(engines.kafka_bootstrap, topics)
    assert (second.created, second.drifts) == ([], [])
    for partitions in (2, 4):
        with pytest.raises(ProvisionError, match="has 3 partitions"):
            await provision(engines.kafka_bootstrap, [replace(topics[0], partitions=partitions)])


async def test_drift_is_reported_and_not_repaired(engines: Addresses) -> None:
    topic = fresh_topic(compacted=False, retention_days=30)
    await provision(engines.kafka_bootstrap, [topic])
    admin = AIOKafkaAdminClient(bootstrap_servers=engines.kafka_bootstrap)
    await admin.start()
    settings = {
        "retention.ms": "1000",
        "segment.ms": "86400000",
        "message.timestamp.type": "LogAppendTime",
        "unclean.leader.election.enable": "false",
    }
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, settings)])
    await admin.close()
    for _ in range(2):
        result = await provision(engines.kafka_bootstrap, [topic])
        assert result.drifts == [Drift(topic.name, "retention.ms", "2592000000", "1000")]


async def test_the_registry_can_be_provisioned(engines: Addresses) -> None:
    await provision(engines.kafka_bootstrap)
    assert (await provision(engines.kafka_bootstrap)).created == []


@pytest.fixture
async def filled(
    engines: Addresses, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[str, Topic[CheckpointPublished]]]:
    """A topic of the registry with 60 messages, one of them older than any inbox remembers, and
    one record that is no message."""
    topic = fresh_topic()
    monkeypatch.setitem(TOPICS, topic.name, topic)
    await provision(engines.kafka_bootstrap, [topic])
    records = [record_of(topic, number, NOW) for number in range(59)]
    records.append(record_of(topic, 59, NOW - timedelta(days=INBOX_RETENTION_DAYS + 1)))
    records.append(codec.Record(topic.name, 1, b"odd", b"0", ()))
    async with Publisher(engines.kafka_bootstrap, "test") as publisher:
        assert await publisher.publish(records) == {}
    yield engines.kafka_bootstrap, topic


def record_of(topic: Topic[CheckpointPublished], number: int, time: datetime) -> codec.Record:
    body = CheckpointPublished(log=number % 7, origin="o", size=number, root="0" * 64, note="")
    message = Envelope(random_id(time), topic.name, time, type_id("org", UUID(int=1)), None, body)
    return replace(codec.encode(topic, message), key=b"key-%d" % (number % 7))


async def contents(bootstrap: str, topic: Topic[Any]) -> list[Any]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        parts = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        records: list[Any] = []
        while len(records) < sum(ends.values()):
            for polled in (await consumer.getmany(timeout_ms=1000)).values():
                records += polled
        return sorted(records, key=lambda record: (record.partition, record.offset))
    finally:
        await consumer.stop()


def whole(of: Topic[Any], **changes: Any) -> Stretch:
    return replace(Stretch(topic=of.name, start=NOW - HOUR, end=NOW + HOUR), **changes)


async def test_a_dry_run_counts_and_sends_nothing(
    filled: tuple[str, Topic[CheckpointPublished]],
) -> None:
    bootstrap, topic = filled
    result = await replay(bootstrap, whole(topic), dry_run=True)
    assert (result.read, result.sent, result.expired, result.unreadable) == (61, 59, 1, 1)
    assert result.by_type == {topic.name: 59}
    assert set(result.by_key) == {f"key-{number}" for number in range(7)}
    assert len(await contents(bootstrap, topic)) == 61


async def test_replays_keep_ids_keys_partitions_and_do_not_multiply(
    filled: tuple[str, Topic[CheckpointPublished]],
) -> None:
    bootstrap, topic = filled
    before = await contents(bootstrap, topic)
    for round_number in range(1, 4):
        replay_id = UUID(int=round_number)
        result = await replay(
            bootstrap, whole(topic), dry_run=False, replay_id=replay_id, rate_per_s=1e6
        )
        assert (result.sent, result.repeated) == (59, 59 * (round_number - 1))
    after = await contents(bootstrap, topic)
    assert len(after) == 61 + 3 * 59

    def messages(records: list[Any], replay_id: bytes | None) -> list[Any]:
        picked = [one for one in records if dict(one.headers).get(REPLAY_HEADER) == replay_id]
        return [
            (
                one.partition,
                one.key,
                one.value,
                tuple(header for header in one.headers if header[0] != REPLAY_HEADER),
            )
            for one in picked
            if one.key != b"odd"
        ]

    originals = [one for one in messages(before, None) if b'"size":59' not in one[2]]
    for round_number in range(1, 4):
        assert messages(after, str(UUID(int=round_number)).encode()) == originals


async def test_a_stretch_ends_where_it_says(
    filled: tuple[str, Topic[CheckpointPublished]],
) -> None:
    bootstrap, topic = filled
    records = await contents(bootstrap, topic)
    last = datetime.fromtimestamp(max(one.timestamp for one in records) / 1000 + 0.001, UTC)
    later = whole(topic, start=last, end=last + HOUR)
    if last < datetime.now(UTC):
        assert (await replay(bootstrap, later, dry_run=True)).read == 0
    one_partition = await replay(bootstrap, whole(topic, partition=2), dry_run=True)
    assert one_partition.read == sum(1 for one in records if one.partition == 2)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"topic": "nonsense"}, "no topic nonsense"),
        ({"partition": 12}, "partitions 0 to 11"),
        ({"partition": -1}, "partitions 0 to 11"),
        ({"start": NOW, "end": NOW}, "nothing lies between"),
        ({"start": NOW + HOUR, "end": NOW + 2 * HOUR}, "still to come"),
        ({"start": NOW.replace(tzinfo=None)}, "needs its offset"),
    ],
)
async def test_nonsense_is_refused_kindly(changes: dict[str, Any], text: str) -> None:
    stretch = whole(registry.DONATIONS_REQUESTED, **changes)
    with pytest.raises(ReplayRefusedError, match=text):
        await replay("127.0.0.1:1", stretch, dry_run=True, now=NOW)
