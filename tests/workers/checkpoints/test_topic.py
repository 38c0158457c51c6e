"""Checkpoints as messages, on the real broker: one record, one signed note, for ever."""

import asyncio

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from amply_verify.note import Signer, open_checkpoint
from tests.ledger.making import ORIGIN
from tests.workers.checkpoints.test_publisher import grow
from tests.workers.ledger_stand import Stand
from topics import codec
from topics.registry import CHECKPOINTS_PUBLISHED

SIZES = (3, 5, 256, 300)


async def test_each_published_checkpoint_is_one_record_whose_note_verifies(stand: Stand) -> None:
    for process in ("checkpoints", "relay"):
        await stand.start(process)
    for size in SIZES:
        await grow(stand, size)
        await stand.published(size)
    key = Signer(ORIGIN, bytes([7]) * 32).key
    rows = await stand.database.fetch("SELECT size, note FROM read.checkpoints")
    wanted = {row["note"]: row["size"] for row in rows}
    told: dict[int, str] = {}
    consumer = AIOKafkaConsumer(
        CHECKPOINTS_PUBLISHED.name, bootstrap_servers=stand.kafka, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        async with asyncio.timeout(60):
            while len(told) < len(wanted):
                record = await consumer.getone()
                body = codec.decode(CHECKPOINTS_PUBLISHED, record.headers, record.value).body
                if body.note not in wanted:
                    continue  # Of another test's log.
                signed, _ = open_checkpoint(body.note, key)
                assert record.key == f"0/{signed.size}".encode()
                assert (body.log, body.origin, body.size) == (0, ORIGIN, signed.size)
                assert body.root == signed.root.hex()
                told[signed.size] = body.note
    finally:
        await consumer.stop()
    assert told == {size: note for note, size in wanted.items()}


async def test_the_topic_keeps_the_newest_record_of_each_log_and_size_for_ever(
    stand: Stand,
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stand.kafka)
    await admin.start()
    try:
        topic = ConfigResource(ConfigResourceType.TOPIC, CHECKPOINTS_PUBLISHED.name)
        (answer,) = await admin.describe_configs([topic])
    finally:
        await admin.close()
    settings = {name: value for name, value, *_ in answer.resources[0][4]}
    assert settings["cleanup.policy"] == "compact"
    assert settings["retention.ms"] == "-1"
