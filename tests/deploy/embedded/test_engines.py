"""The three engines together: data outlives everything, only loopback listens, secrets stay
secret.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import grpc.aio
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError
from authzed.api.v1 import AsyncClient, ReadSchemaRequest, WriteSchemaRequest
from grpcutil import insecure_bearer_token_credentials

from deploy.embedded import (
    Addresses,
    DirectoryInUseError,
    Engines,
    EngineStartError,
    GivenAddresses,
)
from deploy.embedded.events import Event
from deploy.embedded.privileges import CAP_DAC_READ_SEARCH, open_to_others
from deploy.embedded.spicedb import answers_to
from tests.engines import LoopThread

NAMES = ("postgres", "kafka", "spicedb")
SCHEMA = "definition visitor {}"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="module")
def stack(engine_loop: LoopThread, engine_cache: Path, directory: Path) -> Iterator[Engines]:
    running = Engines(directory, cache=engine_cache)
    engine_loop.run(running.start())
    engine_loop.run(write_everywhere(running.addresses))
    yield running
    engine_loop.run(running.stop())


async def write_everywhere(addresses: Addresses) -> None:
    """One fact in each engine."""
    connection = await asyncpg.connect(addresses.postgres_dsn)
    await connection.execute("CREATE TABLE gifts AS SELECT 4200 AS amount_minor")
    await connection.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=addresses.kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("gifts", 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=addresses.kafka_bootstrap, acks="all")
    await producer.start()
    await producer.send_and_wait("gifts", b"4200")
    await producer.stop()
    await spicedb_client(addresses).WriteSchema(WriteSchemaRequest(schema=SCHEMA))


async def assert_everything_is_there(addresses: Addresses) -> None:
    connection = await asyncpg.connect(addresses.postgres_dsn)
    assert await connection.fetchval("SELECT amount_minor FROM gifts") == 4200
    await connection.close()
    consumer = AIOKafkaConsumer(
        "gifts", bootstrap_servers=addresses.kafka_bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    assert (await consumer.getone()).value == b"4200"
    await consumer.stop()
    read = await spicedb_client(addresses).ReadSchema(ReadSchemaRequest())
    assert read.schema_text == SCHEMA


def spicedb_client(addresses: Addresses) -> AsyncClient:
    credentials = insecure_bearer_token_credentials(addresses.spicedb_token)
    return AsyncClient(addresses.spicedb_endpoint, credentials)


@pytest.mark.parametrize("name", NAMES)
async def test_a_killed_engine_comes_back_with_its_data_on_its_port(
    name: str, stack: Engines, engine_loop: LoopThread
) -> None:
    before, pid = stack.addresses, stack.pid(name)
    engine_loop.run(stack.kill(name))
    assert not Path(f"/proc/{pid}/exe").exists()
    engine_loop.run(stack.restart(name))
    assert stack.addresses == before
    assert stack.pid(name) != pid
    # SpiceDB has lost its connections when PostgreSQL was the victim, and must find it again.
    await assert_everything_is_there(stack.addresses)


async def test_a_second_instance_is_refused(
    stack: Engines, directory: Path, engine_cache: Path
) -> None:
    with pytest.raises(DirectoryInUseError, match=f"in use by process {os.getpid()}: stop it"):
        await Engines(directory, cache=engine_cache).start()
    assert await answers_to(stack.addresses.spicedb_endpoint, stack.addresses.spicedb_token)


def listening_addresses(pid: int) -> list[str]:
    """Local addresses, in the kernel's hexadecimal, of the sockets this process listens on."""
    sockets = {
        str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()
    }
    found = []
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.append(fields[1].partition(":")[0])
    return found


@pytest.mark.parametrize("name", NAMES)
def test_only_loopback_listens(name: str, stack: Engines) -> None:
    loopback = {"0100007F", "0000000000000000FFFF00000100007F"}
    listening = listening_addresses(stack.pid(name))
    assert listening
    assert set(listening) <= loopback


async def test_only_the_holder_of_the_credentials_is_served(stack: Engines) -> None:
    addresses = stack.addresses
    wrong = addresses.postgres_dsn.replace("postgres:", "postgres:x", 1)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(wrong)
    assert not await answers_to(addresses.spicedb_endpoint, "guessed")
    async with grpc.aio.insecure_channel(addresses.spicedb_endpoint) as channel:
        read = channel.unary_stream("/authzed.api.v1.PermissionsService/ReadRelationships")
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await read(b"").read()
    assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_secrets_are_private(stack: Engines, directory: Path) -> None:
    assert stat.S_IMODE(directory.stat().st_mode) & 0o077 == 0
    assert stat.S_IMODE((directory / "secrets").stat().st_mode) == 0o600
    secrets = [stack.addresses.spicedb_token, stack.addresses.postgres_dsn.split(":")[2][:20]]
    public = [Path(f"/proc/{stack.pid(name)}/cmdline").read_text() for name in NAMES]
    public += [log.read_text() for log in (directory / "logs").iterdir()]
    public.append(repr(stack.addresses))
    assert len(public) >= 6
    assert not [secret for secret in secrets for text in public if secret in text]


def test_root_gives_postgresql_to_somebody_who_can_only_walk_to_it(
    stack: Engines, directory: Path
) -> None:
    status = Path(f"/proc/{stack.pid('postgres')}/status").read_text().splitlines()
    fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    assert fields["Uid"].split()[1] != "0"
    closed = os.geteuid() == 0 and not open_to_others(directory / "postgres")
    assert int(fields["CapEff"], 16) == (1 << CAP_DAC_READ_SEARCH if closed else 0)


async def test_topics_are_not_made_by_accident(stack: Engines) -> None:
    bootstrap = stack.addresses.kafka_bootstrap
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, request_timeout_ms=1000)
    await producer.start()
    with pytest.raises(UnknownTopicOrPartitionError):
        await producer.send_and_wait("misspelt", b"4200")
    await producer.stop()
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    topics = await admin.list_topics()
    await admin.close()
    assert "gifts" in topics and "misspelt" not in topics


async def test_given_engines_are_neither_fetched_nor_started(
    stack: Engines, tmp_path: Path
) -> None:
    there = stack.addresses
    given = GivenAddresses(
        there.postgres_dsn, there.kafka_bootstrap, there.spicedb_endpoint, there.spicedb_token
    )
    events: list[Event] = []
    empty_cache = tmp_path / "cache"
    engines = Engines(tmp_path / "data", cache=empty_cache, given=given, progress=events.append)
    async with engines:
        assert engines.addresses == there
        assert not empty_cache.exists()
        assert [event.stage for event in events] == ["given"] * 3
    assert await answers_to(there.spicedb_endpoint, there.spicedb_token)


def processes_that_name(path: Path) -> list[str]:
    """Command lines of running processes in which this path occurs."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(path) in command:
                found.append(command)
    return found


async def test_a_failed_start_leaves_nothing_running(
    tmp_path: Path, engine_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMPLY_SPICEDB_BINARY", str(tmp_path / "missing"))
    engines = Engines(tmp_path / "data", cache=engine_cache)
    with pytest.raises(EngineStartError, match="missing, which cannot be executed"):
        await engines.start()
    assert processes_that_name(tmp_path) == []
    monkeypatch.setenv("AMPLY_SPICEDB_BINARY", "")
    async with engines:
        assert await answers_to(engines.addresses.spicedb_endpoint, engines.addresses.spicedb_token)
