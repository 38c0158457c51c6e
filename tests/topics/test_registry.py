"""The registry keeps the promises that other code rests on."""

import re
from importlib import import_module
from typing import Any

import pytest

from topics.registry import INBOX_RETENTION_DAYS, TOPICS
from topics.topic import Topic
from workers.__main__ import PROCESSES, WORKERS

SENDERS = {"edge", "operations"} | set(WORKERS) | set(PROCESSES)


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS.keys())
def test_a_topic_is_well_formed(topic: Topic[Any]) -> None:
    assert re.fullmatch(r"[a-z]+(\.[a-z_]+)+\.v[1-9]", topic.name)
    assert topic.senders and topic.senders <= SENDERS
    if topic.kind == "fact":
        assert len(topic.senders) == 1, "a fact has one sender"
    assert topic.partitions in {1, 12}, "a number of partitions is for good"
    assert topic.compacted is (topic.retention_days is None)


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS.keys())
def test_the_inbox_remembers_longer_than_a_topic_can_deliver(topic: Topic[Any]) -> None:
    # Kafka deletes whole segments of a day, so a record may stay a day longer than it should.
    if topic.retention_days is not None:
        assert topic.retention_days + 1 < INBOX_RETENTION_DAYS


def test_names_are_those_of_the_topics() -> None:
    assert all(name == topic.name for name, topic in TOPICS.items())
    assert len({topic.body for topic in TOPICS.values()}) == len(TOPICS)


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_reads_topics_of_the_registry_and_bears_its_name(name: str) -> None:
    worker = import_module(WORKERS[name]).WORKER
    assert worker.name == name
    topics = [route.topic for route in worker.routes]
    assert len({topic.name for topic in topics}) == len(topics), "one route per topic"
    assert all(TOPICS[topic.name] is topic for topic in topics)
