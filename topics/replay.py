"""Replay: publish a stretch of a topic to that topic again, so that every reader meets it again.

Ids, keys and partitions stay, a header `x-replay-id` tells copies apart. Readers drop what they
have handled, by the id, as long as their inbox remembers: older messages are left out. The same
stretch gives the same messages in the same order per key, however often it was replayed before,
since of several records with one id only the first is taken.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.identifiers import time_of
from topics.codec import Record
from topics.connections.kafka import client_options
from topics.publisher import Publisher
from topics.registry import INBOX_RETENTION_DAYS, TOPICS

REPLAY_HEADER: Final = "x-replay-id"
BATCH_RECORDS_MAX: Final = 500
IDLE_S_MAX: Final = 60.0

_log = structlog.get_logger("replay")


class ReplayRefusedError(ValueError):
    """The stretch asked for makes no sense. The text says why and what would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """From `start` (included) to `end` (excluded), by the time at which Kafka took the record.

    `partition` None means all.
    """

    topic: str
    start: datetime
    end: datetime
    partition: int | None = None

    def check(self, now: datetime) -> None:
        """ReplayRefusedError unless this can be replayed."""
        topic = TOPICS.get(self.topic)
        if topic is None:
            raise ReplayRefusedError(f"no topic {self.topic}; there are {', '.join(TOPICS)}")
        if self.partition is not None and not 0 <= self.partition < topic.partitions:
            raise ReplayRefusedError(
                f"{self.topic} has the partitions 0 to {topic.partitions - 1}, not {self.partition}"
            )
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ReplayRefusedError("a time needs its offset, for instance 2026-05-01T00:00:00Z")
        if self.start >= self.end:
            raise ReplayRefusedError(f"nothing lies between {self.start} and {self.end}")
        if self.start > now:
            raise ReplayRefusedError(f"{self.start} is still to come")


@dataclass(slots=True)
class Replayed:
    """What a replay read and sent (or would send)."""

    replay_id: UUID
    dry_run: bool
    read: int = 0
    sent: int = 0
    repeated: int = 0
    unreadable: int = 0
    expired: int = 0
    by_type: Counter[str] = field(default_factory=Counter)
    by_key: Counter[str] = field(default_factory=Counter)


async def replay(
    bootstrap: str,
    stretch: Stretch,
    *,
    dry_run: bool,
    rate_per_s: float = 1000.0,
    replay_id: UUID | None = None,
    progress: Callable[[Replayed], None] = lambda result: None,
    now: datetime | None = None,
) -> Replayed:
    """Replay a stretch, at most `rate_per_s` messages a second; `dry_run` only counts.

    The end is fixed at the start, so that copies are not read as originals.
    """
    now = now or datetime.now(UTC)
    stretch.check(now)
    if rate_per_s <= 0:
        raise ReplayRefusedError("the rate must be a positive number of messages per second")
    result = Replayed(replay_id or uuid4(), dry_run)
    _audit("replay_started", stretch, result)
    oldest = now - timedelta(days=INBOX_RETENTION_DAYS)
    async with _consumer(bootstrap) as consumer:
        ranges = await _ranges(consumer, stretch)
        if dry_run:
            async for records in _batches(consumer, ranges, oldest, result):
                _count(records, result)
                progress(result)
        else:
            async with Publisher(bootstrap, "amply-replay", timeout_s=60) as publisher:
                started = time.monotonic()
                async for records in _batches(consumer, ranges, oldest, result):
                    refused = await publisher.publish([_copy(one, result) for one in records])
                    if refused:
                        raise ReplayRefusedError(f"Kafka refused: {sorted(set(refused.values()))}")
                    _count(records, result)
                    progress(result)
                    await asyncio.sleep(started + result.sent / rate_per_s - time.monotonic())
    _audit("replay_ended", stretch, result)
    return result


@asynccontextmanager
async def _consumer(bootstrap: str) -> AsyncIterator[Any]:
    # In no group: it commits nothing and disturbs nobody's position.
    consumer = AIOKafkaConsumer(
        **client_options(bootstrap),
        group_id=None,
        client_id="amply-replay",
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _ranges(consumer: Any, stretch: Stretch) -> dict[TopicPartition, tuple[int, int]]:
    """First offset and the one after the last, of each partition that holds something."""
    numbers = range(TOPICS[stretch.topic].partitions)
    wanted = numbers if stretch.partition is None else [stretch.partition]
    partitions = [TopicPartition(stretch.topic, number) for number in wanted]
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    first = await consumer.offsets_for_times(dict.fromkeys(partitions, _ms(stretch.start)))
    after = await consumer.offsets_for_times(dict.fromkeys(partitions, _ms(stretch.end)))
    ranges = {}
    for partition in partitions:
        start = first[partition].offset if first[partition] else ends[partition]
        end = min(after[partition].offset if after[partition] else ends[partition], ends[partition])
        if start < end:
            ranges[partition] = (start, end)
    return ranges


async def _batches(
    consumer: Any,
    ranges: dict[TopicPartition, tuple[int, int]],
    oldest: datetime,
    result: Replayed,
) -> AsyncIterator[list[Any]]:
    """The records to send, partition after partition, in order of their offsets."""
    taken: set[UUID] = set()
    for partition, (start, end) in ranges.items():
        consumer.assign([partition])
        consumer.seek(partition, start)
        position = start
        idle_since = time.monotonic()
        while position < end:
            polled = await consumer.getmany(
                partition, timeout_ms=1000, max_records=BATCH_RECORDS_MAX
            )
            records = [record for record in polled.get(partition, []) if record.offset < end]
            # Past offsets that compaction removed or that hold no record.
            position = await consumer.position(partition)
            result.read += len(records)
            if records:
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > IDLE_S_MAX:
                raise TimeoutError(f"Kafka delivered nothing of {partition} for {IDLE_S_MAX} s")
            chosen = [record for record in records if _choose(record, taken, oldest, result)]
            if chosen:
                yield chosen


def _choose(record: Any, taken: set[UUID], oldest: datetime, result: Replayed) -> bool:
    identifier = _id_of(record)
    if identifier is None:
        result.unreadable += 1
    elif identifier in taken:
        result.repeated += 1
    elif time_of(identifier) < oldest:
        result.expired += 1
    else:
        taken.add(identifier)
        return True
    return False


def _id_of(record: Any) -> UUID | None:
    try:
        identifier = UUID(dict(record.headers)["ce_id"].decode("ascii"))
        time_of(identifier)
    except (KeyError, ValueError, AttributeError, OverflowError):
        return None
    return identifier


def _copy(record: Any, result: Replayed) -> Record:
    kept = tuple((name, value) for name, value in record.headers if name != REPLAY_HEADER)
    headers = (*kept, (REPLAY_HEADER, str(result.replay_id).encode()))
    return Record(record.topic, record.partition, record.key, record.value, headers)


def _count(records: list[Any], result: Replayed) -> None:
    for record in records:
        result.sent += 1
        result.by_type[dict(record.headers).get("ce_type", b"").decode("ascii", "replace")] += 1
        result.by_key[(record.key or b"").decode("utf-8", "replace")] += 1


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _audit(event: str, stretch: Stretch, result: Replayed) -> None:
    _log.info(
        event,
        replay_id=str(result.replay_id),
        topic=stretch.topic,
        partition=stretch.partition,
        start=stretch.start.isoformat(),
        end=stretch.end.isoformat(),
        dry_run=result.dry_run,
        read=result.read,
        sent=result.sent,
    )
