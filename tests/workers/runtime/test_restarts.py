"""The broker and the database are killed under load and come back: nothing is lost or doubled."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.embedded import Engines, GivenAddresses
from tests.workers.runtime.conftest import prepare_probe
from tests.workers.runtime.processes import RELAY, Lab, orders, until
from tests.workers.runtime.test_relay_process import encoded, queue, relay_variables, relayed
from topics.provision import provision
from workers.runtime.reader import OffsetLostError, PartitionReader


@pytest.fixture
async def own_engines(engine_cache: Path, tmp_path: Path) -> AsyncIterator[Engines]:
    nowhere = GivenAddresses(spicedb_endpoint="127.0.0.1:1", spicedb_token="-")
    async with Engines(tmp_path / "engines", cache=engine_cache, given=nowhere) as engines:
        yield engines


@pytest.fixture
async def own_lab(own_engines: Engines, tmp_path: Path) -> AsyncIterator[Lab]:
    database = await prepare_probe(own_engines.addresses.postgres_dsn)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    lab = Lab(database.superuser, database.worker, own_engines.addresses.kafka_bootstrap, scratch)
    lab.database = database
    await provision(lab.bootstrap, [lab.topic])
    yield lab
    await lab.clean_up()


@pytest.mark.parametrize("engine", ["kafka", "postgres"])
async def test_relay_and_worker_survive_the_death_of_an_engine(
    own_engines: Engines, own_lab: Lab, engine: str
) -> None:
    lab = own_lab
    relay = await lab.start(RELAY, **relay_variables(lab.database))
    worker = await lab.start(PROBE_KIND="act", AMPLY_RECORDS_MAX="10")
    records = encoded(lab, 600)
    await queue(lab, records[:300])

    async def begun() -> bool:
        return bool(await lab.effects())

    await until(begun, "messages flow")
    await own_engines.kill(engine)
    if engine == "kafka":
        await queue(lab, records[300:])
    await own_engines.restart(engine)
    if engine == "postgres":
        await queue(lab, records[300:])
    await lab.all_took_effect(600, timeout_s=120)
    await relayed(lab)
    assert await lab.fetch("SELECT * FROM messages.set_aside WHERE disposition = 'dead'") == []
    assert f'"topic":"{lab.topic.name}"' not in lab.logs(), "away is no refusal"
    await lab.order_is_kept()
    await lab.stop(worker)
    await lab.stop(relay)


async def test_processes_start_before_their_engines(own_engines: Engines, own_lab: Lab) -> None:
    lab = own_lab
    await own_engines.kill("kafka")
    await own_engines.kill("postgres")
    relay = await lab.start(RELAY, **relay_variables(lab.database))
    worker = await lab.start(PROBE_KIND="decide")

    async def both_complain() -> bool:
        return "kafka_away" in lab.logs() and "relay_interrupted" in lab.logs()

    await until(both_complain, "both say what they miss")
    await own_engines.restart("postgres")
    await own_engines.restart("kafka")
    await queue(lab, encoded(lab, 50))
    await lab.all_took_effect(50)
    await lab.stop(worker)
    await lab.stop(relay)


async def test_a_reader_reads_on_after_a_restart_and_halts_when_its_offset_is_gone(
    own_engines: Engines, own_lab: Lab
) -> None:
    lab = own_lab
    messages = [one for one in orders(lab.topic, 40) if one.body.key == "key-0"]
    await lab.publish(messages, lab.topic)
    found = await lab.read(lab.topic.name, lab.topic.partitions)
    partition = found[0].partition
    async with PartitionReader(lab.bootstrap, lab.topic.name, partition, 1) as reader:

        async def next_record() -> object:
            return await reader.poll(max_records=1)

        (record,) = await until(next_record, "the second record is read")
        assert record.offset == 1
        await own_engines.kill("kafka")
        await own_engines.restart("kafka")
        reader.seek(0)
        (record,) = await until(next_record, "the first record is read")
        assert record.offset == 0
        reader.seek(10_000)
        with pytest.raises(OffsetLostError, match="no longer has"):
            await until(next_record, "the reader halts")
