"""A subscriber that could lose messages is refused, whatever the option that would lose them."""

from typing import Any

import pytest
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaRouter

from tests.workers.runtime import probe
from workers.runtime.limits import Limits
from workers.runtime.subscribe import (
    CONSUMER_OPTIONS,
    DeliveryLossError,
    check_delivery,
    consumer_options,
    subscribe,
)
from workers.runtime.worker import Worker


async def nothing(*arguments: Any) -> None:
    return None


def test_the_runtimes_own_subscriber_is_safe() -> None:
    worker = probe.worker_of("decide", "probe", probe.topic_of("test.safe"))
    broker = subscribe(
        worker,
        "127.0.0.1:1",
        instance="0",
        limits=Limits(),
        settle=nothing,
        drain=nothing,
        resume=lambda: None,
    )
    check_delivery(broker)
    assert len(broker.subscribers) == 1


SAFE: dict[str, Any] = {
    "batch": True,
    "group_id": "probe",
    "ack_policy": AckPolicy.NACK_ON_ERROR,
    "auto_offset_reset": "earliest",
    "isolation_level": "read_committed",
}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, None),
        *(
            ({"ack_policy": policy}, "ack_policy must be NACK_ON_ERROR")
            for policy in AckPolicy
            if policy is not AckPolicy.NACK_ON_ERROR
        ),
        ({"auto_offset_reset": "latest"}, "auto_offset_reset must be earliest"),
        ({"isolation_level": "read_uncommitted"}, "isolation_level"),
        ({"group_id": None}, "group_id must be set"),
        ({"batch": False}, "must be a batch subscriber"),
    ],
)
@pytest.mark.filterwarnings("ignore:AckPolicy.REJECT_ON_ERROR")
def test_a_delivery_losing_option_is_refused(changes: dict[str, Any], text: str | None) -> None:
    broker = KafkaBroker("127.0.0.1:1")
    broker.subscriber("safe", **SAFE)
    broker.subscriber("suspect", **SAFE | changes)
    if text is None:
        return check_delivery(broker)
    with pytest.raises(DeliveryLossError, match=f"suspect.*{text}"):
        check_delivery(broker)
    return None


def test_a_router_does_not_hand_down_the_brokers_policy_and_is_refused() -> None:
    broker = KafkaBroker("127.0.0.1:1", ack_policy=AckPolicy.NACK_ON_ERROR)
    router = KafkaRouter()
    router.subscriber("routed", **{k: v for k, v in SAFE.items() if k != "ack_policy"})
    broker.include_router(router)
    with pytest.raises(DeliveryLossError, match="routed"):
        check_delivery(broker)


def test_every_option_that_has_a_say_in_delivery_is_written_out() -> None:
    assert {
        "auto_offset_reset",
        "isolation_level",
        "session_timeout_ms",
        "heartbeat_interval_ms",
        "max_poll_interval_ms",
        "rebalance_timeout_ms",
        "partition_assignment_strategy",
        "check_crcs",
    } <= set(CONSUMER_OPTIONS)


def test_only_a_worker_that_nobody_waits_for_lets_messages_gather_in_kafka() -> None:
    waited_for = consumer_options(Worker("probe", []))
    assert waited_for == CONSUMER_OPTIONS
    assert (waited_for["fetch_min_bytes"], waited_for["fetch_max_wait_ms"]) == (1, 500)
    gathering = consumer_options(Worker("probe", [], fetch_wait_s=0.25))
    assert (gathering["fetch_min_bytes"], gathering["fetch_max_wait_ms"]) == (1024 * 1024, 250)
    assert gathering.keys() == CONSUMER_OPTIONS.keys()
