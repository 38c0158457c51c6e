"""One Apache Kafka broker (KRaft: broker and controller in one process) on loopback.

Readiness is three things: the process lives, its Metadata answer lists a broker, and the cluster
id in it is ours, since an older broker on the same port would answer too.
"""

import asyncio
import base64
import os
import shutil
import struct
import uuid
from collections.abc import Sequence
from pathlib import Path

from deploy.embedded.errors import EngineStartError
from deploy.embedded.processes import Child, Launched, answers, run_to_end
from deploy.embedded.state import LOOPBACK

READY_DEADLINE_S = 120
PROBE_TIMEOUT_S = 2
FORMAT_TIMEOUT_S = 120
ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC"}
LOGGING = Path(__file__).with_name("kafka_logging.yaml")

JAVA_FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    # A stale ahead-of-time cache is a warning on standard output otherwise; the start is merely
    # slower.
    "-Xlog:disable",
    "-Xlog:all=error:stderr",
    "-Djava.awt.headless=true",
)

# Sized for one person's machine. `flush.messages` stays at its default: a killed broker loses
# nothing, only a power cut would, and durability is PostgreSQL's part until the relay's delete.
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    # A broker that was killed waits as long for its own old session. A shorter one fences a broker
    # on a machine too busy for its heartbeats, and each time all groups are loaded again.
    "broker.session.timeout.ms": "5000",
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.segment.bytes": "8388608",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.segment.bytes": "8388608",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "log.cleaner.dedupe.buffer.size": "8388608",
    "log.cleaner.io.buffer.size": "131072",
    "log.segment.bytes": "134217728",
    "metadata.log.segment.bytes": "16777216",
}


class KafkaProgram:
    """The fetched Java and jars, and the command lines made from them."""

    def __init__(self, java: str, jars: Path) -> None:
        self.java = java
        self.jars = sorted(jars.glob("*.jar"))

    def command(self, main: str, arguments: Sequence[str], flags: Sequence[str] = ()) -> list[str]:
        class_path = os.pathsep.join(str(jar) for jar in self.jars)
        flags = (*JAVA_FLAGS, f"-Dlog4j2.configurationFile={LOGGING}", *flags)
        return [self.java, *flags, "-cp", class_path, main, *arguments]

    def broker(self, configuration: Path, flags: Sequence[str] = ()) -> list[str]:
        return self.command("kafka.Kafka", [str(configuration)], ("-Xmx256m", *flags))


def configure(folder: Path, data: Path, port: int, controller_port: int) -> Path:
    """Write the broker's settings and return their path; `data` is absolute, as Kafka needs it."""
    plain, control = f"{LOOPBACK}:{port}", f"{LOOPBACK}:{controller_port}"
    settings = SETTINGS | {
        "controller.quorum.voters": f"1@{control}",
        "listeners": f"PLAINTEXT://{plain},CONTROLLER://{control}",
        "advertised.listeners": f"PLAINTEXT://{plain}",
        "log.dirs": str(data.absolute()),
    }
    path = folder / "server.properties"
    path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    return path


async def format_storage(
    program: KafkaProgram, folder: Path, port: int, controller_port: int
) -> None:
    """Make the data folder under a fresh cluster id, in one rename; nothing to do when it
    exists.
    """
    data, partial = folder / "data", folder / "data.partial"
    if data.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(partial, ignore_errors=True)
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
    configuration = configure(folder, partial, port, controller_port)
    # `=` because an id may begin with a dash.
    arguments = ["format", f"--cluster-id={cluster_id}", f"--config={configuration}"]
    code, printed = await run_to_end(
        program.command("kafka.tools.StorageTool", arguments, ("-Xmx128m",)),
        folder=folder,
        environment=ENVIRONMENT,
        timeout_s=FORMAT_TIMEOUT_S,
    )
    if code != 0:
        raise EngineStartError(f"Kafka could not create its files: {printed[-500:]}")
    partial.rename(data)


def stored_cluster_id(data: Path) -> str:
    for line in (data / "meta.properties").read_text().splitlines():
        if line.startswith("cluster.id="):
            return line.removeprefix("cluster.id=").strip()
    raise EngineStartError(f"{data}/meta.properties names no cluster: the folder is damaged.")


async def cluster_id_at(port: int) -> str | None:
    """Who answers: a Metadata request of version 2 (KIP-78), no topics. None while no broker is
    ready.
    """
    client = b"amply"
    # api key 3, version 2, correlation 1, client id, an empty array of topics.
    body = struct.pack(">hhih", 3, 2, 1, len(client)) + client + struct.pack(">i", 0)
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(struct.pack(">i", len(body)) + body)
                (length,) = struct.unpack(">i", await reader.readexactly(4))
                answer = await reader.readexactly(min(length, 65_536))
            finally:
                writer.close()
    except (OSError, EOFError, TimeoutError):
        return None
    return _cluster_id(answer)


def _cluster_id(answer: bytes) -> str | None:
    """Read brokers (node id, host, port, rack) and then the cluster id; None when no broker is
    listed.
    """
    (brokers,) = struct.unpack_from(">i", answer, 4)
    position = 8
    for _ in range(brokers):
        position = _after_string(answer, position + 4)
        position = _after_string(answer, position + 4)
    end = _after_string(answer, position)
    return answer[position + 2 : end].decode() if brokers else None


def _after_string(raw: bytes, position: int) -> int:
    length: int = struct.unpack_from(">h", raw, position)[0]
    return position + 2 + max(length, 0)


class Kafka:
    """One broker on one folder; `start` formats the folder when it is new."""

    name = "kafka"
    subject = "Kafka"

    def __init__(
        self, program: KafkaProgram, folder: Path, log: Path, port: int, controller_port: int
    ) -> None:
        self._program = program
        self._folder = folder
        self._log = log
        self.port = port
        self._controller_port = controller_port
        self.child: Child | None = None
        self.startup_cache: Path | None = None

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    async def start(self, launched: Launched) -> None:
        await format_storage(self._program, self._folder, self.port, self._controller_port)
        data = self._folder / "data"
        expected = stored_cluster_id(data)
        configuration = configure(self._folder, data, self.port, self._controller_port)
        flags = [f"-XX:AOTCache={self.startup_cache}"] if self.startup_cache else []
        self.child = Child(
            self._program.broker(configuration, flags),
            folder=self._folder,
            log=self._log,
            environment=ENVIRONMENT,
        )
        launched(self.name, self.child)

        async def ready() -> bool:
            return await cluster_id_at(self.port) == expected

        if not await answers(self.child, ready, READY_DEADLINE_S):
            words = self.child.last_words()
            await self.child.kill()
            raise EngineStartError(f"Kafka did not start, see {self._log}: {words}")
