"""Read one partition by offset, for a writer that keeps its offset with its data.

No group and no commits: the caller says where to begin and remembers where it is. Offsets that
Kafka no longer has are a loud halt, never a silent jump.
"""

from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from topics.connections.kafka import client_options

READER_OPTIONS: Final[dict[str, Any]] = {
    "group_id": None,
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "isolation_level": "read_committed",
    "check_crcs": True,
    "fetch_max_wait_ms": 500,
    "fetch_min_bytes": 1,
    "max_partition_fetch_bytes": 8 * 1024 * 1024,
    "metadata_max_age_ms": 10_000,
    "request_timeout_ms": 10_000,
}


class OffsetLostError(RuntimeError):
    """Kafka does not have the offset to read from. Records were deleted, or it is another topic."""


class PartitionReader:
    """Use as an asynchronous context manager; entering raises KafkaConnectionError when Kafka is
    away. Once entered it survives the broker's restarts: `poll` answers nothing meanwhile."""

    def __init__(
        self, bootstrap: str, topic: str, partition: int, offset: int, *, client_id: str = "amply"
    ) -> None:
        self._partition = TopicPartition(topic, partition)
        self._offset = offset
        self._consumer: Any = AIOKafkaConsumer(
            client_id=client_id, **client_options(bootstrap), **READER_OPTIONS
        )

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        self._consumer.assign([self._partition])
        self._consumer.seek(self._partition, self._offset)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._consumer.stop()

    async def poll(self, max_records: int = 500, timeout_ms: int = 100) -> list[Any]:
        """The next records (aiokafka's `ConsumerRecord`), none when there are none in time.

        OffsetLostError when Kafka does not have the next offset.
        """
        try:
            polled = await self._consumer.getmany(
                self._partition, max_records=max_records, timeout_ms=timeout_ms
            )
        except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
            raise OffsetLostError(
                f"{self._partition.topic}, partition {self._partition.partition}, no longer has the"
                f" offset to read from; it began at {self._offset}"
            ) from error
        records: list[Any] = polled.get(self._partition, [])
        return records

    def seek(self, offset: int) -> None:
        """Read from this offset next."""
        self._offset = offset
        self._consumer.seek(self._partition, offset)

    async def lag(self) -> int:
        """Records that were not polled yet, as far as the last answer of Kafka says."""
        highwater = self._consumer.highwater(self._partition)
        if highwater is None:
            return 0
        position: int = await self._consumer.position(self._partition)
        return max(0, int(highwater) - position)

    def answered_at_ms(self) -> int | None:
        """When Kafka last answered a fetch, in milliseconds since 1970; None before the first."""
        stamp: int | None = self._consumer.last_poll_timestamp(self._partition)
        return stamp
