"""Create the topics of the registry in Kafka, and say where Kafka differs from the registry.

What exists is never altered: another number of partitions would move keys and break their order,
and another retention is for a person to decide. Running it again changes nothing.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from topics.connections.kafka import client_options
from topics.registry import TOPICS
from topics.topic import Topic

_DAY_MS: Final = 86_400_000
_VISIBLE_S_MAX: Final = 30.0


class ProvisionError(RuntimeError):
    """Kafka's topics cannot be those of the registry. The text says which and what to do."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A setting of a topic that differs from the registry's."""

    topic: str
    setting: str
    wanted: str
    found: str


@dataclass(slots=True)
class Provisioned:
    """What was created, and what differs."""

    created: list[str] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)


def settings_of(topic: Topic[Any], replicas: int) -> dict[str, str]:
    """A topic's Kafka settings.

    Segments of a day, since Kafka deletes whole segments: with the default of a week, a record
    could outlive its retention by that week, and the inbox's memory of it.
    """
    retention_ms = -1 if topic.retention_days is None else topic.retention_days * _DAY_MS
    return {
        "cleanup.policy": "compact" if topic.compacted else "delete",
        "retention.ms": str(retention_ms),
        "segment.ms": str(_DAY_MS),
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(max(1, replicas - 1)),
        "unclean.leader.election.enable": "false",
    }


async def provision(
    bootstrap: str, topics: Iterable[Topic[Any]] = TOPICS.values(), *, replicas: int = 1
) -> Provisioned:
    """Create what is missing, usable when this returns, and report what differs.

    ProvisionError when a topic exists with another number of partitions.
    """
    wanted = {topic.name: topic for topic in topics}
    admin = AIOKafkaAdminClient(client_id="amply-provision", **client_options(bootstrap))
    await admin.start()
    try:
        result = Provisioned()
        found = await _partitions(admin, list(wanted))
        for name in found:
            _check_partitions(wanted[name], found[name])
        missing = [topic for name, topic in wanted.items() if name not in found]
        result.created = await _create(admin, missing, replicas)
        await _until_visible(admin, result.created)
        result.drifts = await _drifts(admin, [wanted[name] for name in found], replicas)
        return result
    finally:
        await admin.close()


async def _partitions(admin: Any, names: list[str]) -> dict[str, int]:
    """How many partitions each of the topics has that exist and have their leaders."""
    topics = await admin.describe_topics(names) if names else []
    return {
        topic["topic"]: len(topic["partitions"])
        for topic in topics
        if topic["error_code"] == 0
        and all(partition["leader"] >= 0 for partition in topic["partitions"])
    }


def _check_partitions(topic: Topic[Any], found: int) -> None:
    if found != topic.partitions:
        raise ProvisionError(
            f"{topic.name} has {found} partitions and the registry says {topic.partitions}. A topic"
            " keeps its number for good, since its keys would move: set the registry back, or give"
            " the topic a new name (.v2)."
        )


async def _create(admin: Any, missing: list[Topic[Any]], replicas: int) -> list[str]:
    if not missing:
        return []
    response = await admin.create_topics(
        [
            NewTopic(
                topic.name, topic.partitions, replicas, topic_configs=settings_of(topic, replicas)
            )
            for topic in missing
        ]
    )
    created = []
    for name, code, *rest in response.topic_errors:
        error = for_code(code)
        if code == 0:
            created.append(name)
        elif error is not TopicAlreadyExistsError:  # Another provisioner was faster.
            detail = rest[0] if rest else ""
            raise ProvisionError(f"Kafka did not create {name}: {error.__name__} {detail}")
    return created


async def _until_visible(admin: Any, names: list[str]) -> None:
    try:
        async with asyncio.timeout(_VISIBLE_S_MAX):
            while True:
                if len(await _partitions(admin, names)) == len(names):
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise ProvisionError(f"new topics have no leader after {_VISIBLE_S_MAX} s") from None


async def _drifts(admin: Any, existing: list[Topic[Any]], replicas: int) -> list[Drift]:
    if not existing:
        return []
    resources = [
        ConfigResource(
            ConfigResourceType.TOPIC, topic.name, dict.fromkeys(settings_of(topic, replicas))
        )
        for topic in existing
    ]
    by_name = {topic.name: topic for topic in existing}
    drifts = []
    for response in await admin.describe_configs(resources):
        for code, _, _, name, entries in response.resources:
            if code:
                raise KafkaError(f"settings of {name}: {for_code(code).__name__}")
            found = {entry[0]: entry[1] for entry in entries}
            for setting, wanted in settings_of(by_name[name], replicas).items():
                if found.get(setting) != wanted:
                    drifts.append(Drift(name, setting, wanted, str(found.get(setting))))
    return drifts
