"""Kafka to batches, by FastStream: one subscriber per worker, every option that delivery rests on
written out here, none left to a library's default.

FastStream commits the offsets of a batch after the handler returned, so after our transaction, and
rewinds to its start when the handler raised (`NACK_ON_ERROR`).
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, Final

import structlog
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber
from faststream.security import BaseSecurity, SASLScram256, SASLScram512

from contracts.addresses import Address
from topics.connections import kafka
from topics.connections.tls import client_context
from topics.delivery import Delivery
from workers.runtime.limits import Limits
from workers.runtime.logs import quiet_logger
from workers.runtime.polls import Polls
from workers.runtime.worker import Worker

#: What aiokafka's consumer is told, beside the group and the instance, if somebody waits for it.
CONSUMER_OPTIONS: Final[dict[str, Any]] = {
    "auto_offset_reset": "earliest",
    "isolation_level": "read_committed",
    "check_crcs": True,
    "fetch_max_wait_ms": 500,
    "fetch_min_bytes": 1,
    "fetch_max_bytes": 16 * 1024 * 1024,
    "max_partition_fetch_bytes": 1024 * 1024,
    "heartbeat_interval_ms": 300,
    "session_timeout_ms": 10_000,
    "rebalance_timeout_ms": 60_000,
    "max_poll_interval_ms": 300_000,
    "partition_assignment_strategy": (RoundRobinPartitionAssignor,),
}
#: Whoever lets messages gather hears of this many at once, however long that took.
GATHERED_BYTES: Final = 1024 * 1024
BATCH_TIMEOUT_MS: Final = 10

_log = structlog.get_logger("runtime")


class DeliveryLossError(RuntimeError):
    """A subscriber could lose messages with these options; the text names subscriber and option."""


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka publishes no types
    def __init__(self, drain: Callable[[], Awaitable[Any]], resume: Callable[[], None]) -> None:
        self._drain = drain
        self._resume = resume

    async def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        if revoked:
            await self._drain()

    async def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        self._resume()
        _log.info("partitions_assigned", number=len(assigned))


def subscribe(
    worker: Worker,
    bootstrap: str,
    *,
    instance: str,
    limits: Limits,
    settle: Callable[[Sequence[Delivery]], Awaitable[None]],
    drain: Callable[[], Awaitable[Any]],
    resume: Callable[[], None],
) -> KafkaBroker:
    """A broker with the worker's one subscriber, not started."""
    known = kafka.read(bootstrap)
    broker = KafkaBroker(
        known.servers,
        security=_security(known),
        client_id=f"amply-{worker.name}-{instance}",
        consumer_only=True,
        allow_auto_create_topics=False,
        apply_types=False,
        graceful_timeout=limits.drain_s_max,
        metadata_max_age_ms=10_000,
        logger=quiet_logger(),
    )

    # FastStream's own parser decodes every header and its decoder sniffs JSON: a record that fails
    # either would come back for ever. Here nothing is looked at before `settle`.
    async def parse(records: tuple[Any, ...]) -> KafkaAckableMessage:
        return KafkaAckableMessage(
            body=b"", raw_message=records, headers={}, consumer=subscriber.consumer
        )

    async def decode(message: KafkaAckableMessage) -> Any:
        return message.raw_message

    subscriber = broker.subscriber(
        *(route.topic.name for route in worker.routes),
        batch=True,
        max_records=limits.records_max,
        batch_timeout_ms=BATCH_TIMEOUT_MS,
        group_id=worker.name,
        group_instance_id=f"{worker.name}-{instance}",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        no_reply=True,
        listener=_Rebalance(drain, resume),
        parser=parse,
        decoder=decode,
        **consumer_options(worker),
    )

    async def deliver(records: tuple[Any, ...]) -> None:
        await settle([Delivery.of(record) for record in records])

    subscriber(deliver)
    return broker


def consumer_options(worker: Worker) -> dict[str, Any]:
    """What the worker's consumer is told."""
    if not worker.fetch_wait_s:
        return CONSUMER_OPTIONS
    wait_ms = round(1000 * worker.fetch_wait_s)
    gathering = {"fetch_min_bytes": GATHERED_BYTES, "fetch_max_wait_ms": wait_ms}
    return {**CONSUMER_OPTIONS, **gathering}


def _security(address: Address) -> BaseSecurity | None:
    """What FastStream hands to aiokafka, as `topics.connections.kafka` does for our own clients."""
    if not address.scheme:
        return None
    context = client_context(address.options)
    if address.user is None or address.password is None:
        return BaseSecurity(ssl_context=context, use_ssl=True)
    scram = {"SCRAM-SHA-512": SASLScram512, "SCRAM-SHA-256": SASLScram256}
    return scram[kafka.mechanism_of(address)](
        address.user, address.password, ssl_context=context, use_ssl=True
    )


def check_delivery(broker: KafkaBroker) -> None:
    """DeliveryLossError when any subscriber of the broker could lose a message."""
    declared: Iterable[Any] = broker.subscribers
    for subscriber in declared:
        options = subscriber._connection_args  # FastStream shows them nowhere else.
        name = ", ".join(subscriber.topic_names)
        faults = {
            "ack_policy must be NACK_ON_ERROR": subscriber.ack_policy
            is not AckPolicy.NACK_ON_ERROR,
            "enable_auto_commit must be off": options.get("enable_auto_commit") is not False,
            "auto_offset_reset must be earliest": options.get("auto_offset_reset") != "earliest",
            "isolation_level must be read_committed": options.get("isolation_level")
            != "read_committed",
            "group_id must be set": not subscriber.group_id,
            "it must be a batch subscriber": not isinstance(subscriber, BatchSubscriber),
        }
        for fault, present in faults.items():
            if present:
                raise DeliveryLossError(f"the subscriber of {name} could lose messages: {fault}")


async def start(broker: KafkaBroker, polls: Polls) -> None:
    """Check, then start reading."""
    check_delivery(broker)
    await broker.start()
    for subscriber in broker.subscribers:
        assert isinstance(subscriber, BatchSubscriber)
        polls.watch(subscriber.consumer)
