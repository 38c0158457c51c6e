"""Kafka by SASL_SSL and by certificates: our own clients and FastStream's, against a broker."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contracts.addresses import reach_of
from deploy.embedded import fetch
from deploy.embedded.cache import Cache
from deploy.embedded.events import silent
from deploy.embedded.kafka import ENVIRONMENT, SETTINGS, KafkaProgram, cluster_id_at
from deploy.embedded.kafka_training import trained
from deploy.embedded.processes import Child, answers, run_to_end
from deploy.ports import free_ports
from tests.certificates import Authority, Identity
from tests.engines import LoopThread
from tests.workers.runtime.probe import topic_of, worker_of
from topics.codec import Record
from topics.connections.kafka import client_options
from topics.delivery import Delivery
from topics.provision import provision
from topics.publisher import Publisher
from workers.runtime.limits import Limits
from workers.runtime.polls import Polls
from workers.runtime.reader import PartitionReader
from workers.runtime.subscribe import start, subscribe

PASSWORD = "hidden/?&@"
QUOTED = "hidden%2F%3F%26%40"


@dataclass(frozen=True)
class Broker:
    child: Child
    sasl: int
    tls: int


def settings(
    folder: Path, ports: list[int], authority: Authority, identity: Identity
) -> dict[str, str]:
    plain, control, sasl, tls = (f"127.0.0.1:{port}" for port in ports)
    store = folder / "store.pem"
    store.write_bytes(identity.key.read_bytes() + identity.certificate.read_bytes())
    return SETTINGS | {
        "listener.security.protocol.map": (
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL"
        ),
        "controller.quorum.voters": f"1@{control}",
        "listeners": f"PLAINTEXT://{plain},CONTROLLER://{control},SASL_SSL://{sasl},SSL://{tls}",
        "advertised.listeners": f"PLAINTEXT://{plain},SASL_SSL://{sasl},SSL://{tls}",
        "log.dirs": str(folder / "data"),
        "sasl.enabled.mechanisms": "SCRAM-SHA-512,SCRAM-SHA-256",
        **{
            f"listener.name.sasl_ssl.{mechanism}.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            )
            for mechanism in ("scram-sha-512", "scram-sha-256")
        },
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.file),
        "listener.name.ssl.ssl.client.auth": "required",
    }


@pytest.fixture(scope="module")
def broker(
    engine_loop: LoopThread,
    engine_cache: Path,
    authority: Authority,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Broker]:
    """A broker with a listener for passwords (SCRAM) and one for certificates."""
    folder = tmp_path_factory.mktemp("kafka")
    ports = free_ports(4)
    configuration = folder / "server.properties"
    told = settings(folder, ports, authority, authority.issue("127.0.0.1"))
    configuration.write_text("".join(f"{name}={value}\n" for name, value in told.items()))

    async def start() -> Child:
        cache = Cache(engine_cache, silent)
        tools = await fetch.KAFKA_TOOLS.ensure(cache)
        jars = await fetch.ensure_kafka_jars(cache, tools)
        program = KafkaProgram(str(fetch.java(tools)), jars)
        users = [
            f"--add-scram={mechanism}=[name=amply,password={PASSWORD}]"
            for mechanism in ("SCRAM-SHA-512", "SCRAM-SHA-256")
        ]
        arguments = ["format", "--cluster-id=AAAAAAAAAAAAAAAAAAAAAA", f"--config={configuration}"]
        code, printed = await run_to_end(
            program.command("kafka.tools.StorageTool", [*arguments, *users], ("-Xmx128m",)),
            folder=folder,
            environment=ENVIRONMENT,
            timeout_s=120,
        )
        assert code == 0, printed
        flags = [f"-XX:AOTCache={cached}"] if (cached := trained(cache, program)) else []
        child = Child(
            program.broker(configuration, flags),
            folder=folder,
            log=folder / "log",
            environment=ENVIRONMENT,
        )

        async def ready() -> bool:
            return await cluster_id_at(ports[0]) is not None

        assert await answers(child, ready, 120), child.last_words()
        return child

    child = engine_loop.run(start())
    yield Broker(child, ports[2], ports[3])
    engine_loop.run(child.stop())


ORDERS = topic_of("tls.orders")


def by_password(
    broker: Broker, authority: Authority, password: str = QUOTED, more: str = ""
) -> str:
    return f"SASL_SSL://amply:{password}@127.0.0.1:{broker.sasl}?ca={authority.file}{more}"


def by_certificate(broker: Broker, authority: Authority, identity: Identity) -> str:
    files = f"ca={authority.file}&certificate={identity.certificate}&key={identity.key}"
    return f"SSL://127.0.0.1:{broker.tls}?{files}"


async def tried(address: str) -> int:
    """Provision the topic, publish a record, read it back; how many records are there."""
    await provision(address, [ORDERS])
    async with Publisher(address, "tls") as publisher:
        assert await publisher.publish([Record(ORDERS.name, 0, b"key", b"{}", ())]) == {}
    async with PartitionReader(address, ORDERS.name, 0, 0) as reader:
        while not (records := await reader.poll(timeout_ms=1000)):
            pass
    return len(records)


async def test_every_client_of_ours_gets_in_by_password_and_by_certificate(
    broker: Broker, authority: Authority
) -> None:
    weaker = by_password(broker, authority, more="&mechanism=SCRAM-SHA-256")
    certificate = by_certificate(broker, authority, authority.issue(name="worker"))
    for number, address in enumerate((by_password(broker, authority), weaker, certificate), 1):
        assert reach_of(address, "kafka") == "encrypted"
        assert await tried(address) == number


async def test_a_worker_of_the_runtime_gets_in_by_password_and_by_certificate(
    broker: Broker, authority: Authority
) -> None:
    certificate = by_certificate(broker, authority, authority.issue(name="worker"))
    await tried(certificate)
    for name, address in (("sasl", by_password(broker, authority)), ("tls", certificate)):
        settled = asyncio.Event()

        async def settle(deliveries: Sequence[Delivery], settled: asyncio.Event = settled) -> None:
            settled.set()

        async def drain() -> None:
            pass

        subscribed = subscribe(
            worker_of("decide", f"tls-{name}", ORDERS),
            address,
            instance="0",
            limits=Limits(),
            settle=settle,
            drain=drain,
            resume=lambda: None,
        )
        try:
            await start(subscribed, Polls(0.0))
            async with asyncio.timeout(60):
                await settled.wait()
        finally:
            await subscribed.stop()


async def test_another_authority_name_or_password_and_no_certificate_are_refused(
    broker: Broker, authority: Authority, other_authority: Authority
) -> None:
    right = by_password(broker, authority)
    stranger = other_authority.issue(name="worker")
    refused = {
        "another authority": by_password(broker, other_authority),
        "another name": right.replace("127.0.0.1", "localhost"),
        "another password": by_password(broker, authority, password="wrong"),
        "no certificate": f"SSL://127.0.0.1:{broker.tls}?ca={authority.file}",
        "a certificate of others": by_certificate(broker, authority, stranger),
        "in clear": f"127.0.0.1:{broker.tls}",
    }
    for how, address in refused.items():
        options = client_options(address) | {"request_timeout_ms": 3000}
        producer = AIOKafkaProducer(**options)
        try:
            with pytest.raises(KafkaError):
                await producer.start()
                pytest.fail(f"let in by {how}")
        finally:
            await producer.stop()
