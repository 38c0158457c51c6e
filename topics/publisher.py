"""Publish records to Kafka durably and in order: idempotent, acknowledged by all replicas in sync.

Two outcomes are told apart. Kafka *refused* a record: it is not in the topic, others of the call
are. Nobody answered in time: it is *unknown* whether the records are or will be in the topic, so
they must be published again; readers drop the second copy by its id.
"""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaProducer, errors

from topics.codec import Record
from topics.connections.kafka import client_options

PRODUCER_OPTIONS: Final[dict[str, Any]] = {
    "acks": "all",
    "enable_idempotence": True,
    "linger_ms": 0,
    "max_batch_size": 256 * 1024,
    "max_request_size": 4 * 1024 * 1024,
    "compression_type": None,
    "request_timeout_ms": 10_000,
    "metadata_max_age_ms": 60_000,
    "retry_backoff_ms": 100,
}
_STOP_S_MAX: Final = 2.0
_REFUSALS: Final = (
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
    errors.InvalidTopicError,
    errors.UnknownTopicOrPartitionError,
    errors.TopicAuthorizationFailedError,
    errors.CorruptRecordException,
)
#: Producers that were given up. Each ends by itself when the broker answers again.
_given_up: set[asyncio.Task[None]] = set()


class PublishUncertainError(Exception):
    """No answer about some records: open a new publisher and publish all of them again."""


class Publisher:
    """One producer. Use as an asynchronous context manager; entering fails when Kafka is away.

    After a `PublishUncertainError` it is of no further use: its producer would never give up.
    """

    def __init__(
        self, bootstrap: str, client_id: str, *, timeout_s: float = 10.0, topic_s_max: float = 1.0
    ) -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._timeout_s = timeout_s
        self._topic_s_max = topic_s_max
        self._producer: Any = None

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(
            client_id=self._client_id, **client_options(self._bootstrap), **PRODUCER_OPTIONS
        )
        try:
            await self._producer.start()
        except BaseException:
            await self._producer.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        stopping = asyncio.create_task(self._producer.stop())
        _given_up.add(stopping)
        stopping.add_done_callback(_given_up.discard)
        # Stopping flushes, which lasts as long as the broker is away.
        await asyncio.wait({stopping}, timeout=_STOP_S_MAX)

    async def publish(self, records: Sequence[Record]) -> dict[int, str]:
        """Publish all; returns when each is acknowledged or refused.

        The answer maps the number of each refused record to Kafka's reason; empty means all are in
        their topics. PublishUncertainError when that is not known within `timeout_s` seconds.
        """
        refused = await self._refuse_unknown(records)
        futures: dict[int, asyncio.Future[Any]] = {}
        try:
            async with asyncio.timeout(self._timeout_s):
                for number, record in enumerate(records):
                    if number in refused:
                        continue
                    try:
                        futures[number] = await self._send(record)
                    except _REFUSALS as error:
                        refused[number] = type(error).__name__
                if futures:
                    await asyncio.wait(futures.values())
        except (TimeoutError, errors.KafkaError) as error:
            for future in futures.values():
                future.add_done_callback(_take_result)
            raise PublishUncertainError(f"no answer from Kafka: {type(error).__name__}") from error
        failures = {number: future.exception() for number, future in futures.items()}
        for number, failure in failures.items():
            if isinstance(failure, _REFUSALS):
                refused[number] = type(failure).__name__
            elif failure is not None:
                raise PublishUncertainError(f"Kafka failed: {type(failure).__name__}") from failure
        return refused

    async def _send(self, record: Record) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = await self._producer.send(
            record.topic,
            value=record.value,
            key=record.key,
            partition=record.partition,
            headers=list(record.headers),  # aiokafka takes no tuple
        )
        return future

    async def _refuse_unknown(self, records: Sequence[Record]) -> dict[int, str]:
        """Numbers of the records whose topic or partition Kafka does not know, with the reason."""
        topics = sorted({record.topic for record in records})
        found = await asyncio.gather(*(self._partitions(topic) for topic in topics))
        partitions = dict(zip(topics, found, strict=True))
        refused = {}
        for number, record in enumerate(records):
            known = partitions[record.topic]
            if not known:
                refused[number] = "Kafka does not know this topic"
            elif record.partition is not None and record.partition not in known:
                refused[number] = f"the topic has no partition {record.partition}"
        return refused

    async def _partitions(self, topic: str) -> set[int]:
        """The numbers of a topic's partitions, none when Kafka says that it does not know it."""
        try:
            async with asyncio.timeout(self._topic_s_max):
                partitions: set[int] = await self._producer.partitions_for(topic)
            return partitions
        except (TimeoutError, *_REFUSALS):
            if await self._answers():
                return set()
            raise PublishUncertainError("no answer from Kafka about its topics") from None
        except errors.KafkaError as error:
            raise PublishUncertainError(f"Kafka failed: {type(error).__name__}") from error

    async def _answers(self) -> bool:
        """Whether Kafka tells its topics now: otherwise it is away, which is no refusal."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return bool(await self._producer.client.force_metadata_update())
        except (TimeoutError, errors.KafkaError):
            return False


def _take_result(future: asyncio.Future[Any]) -> None:
    # Said to be unknown already; without this asyncio complains that nobody looked.
    if not future.cancelled():
        future.exception()
