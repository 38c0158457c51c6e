"""The same three engines as containers, for machines where a Docker engine answers.

Needs the development package `testcontainers`; only tests and continuous integration use it.
"""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import cast

from deploy.embedded.addresses import Addresses
from deploy.embedded.errors import EngineStartError
from deploy.embedded.kafka import SETTINGS, cluster_id_at
from deploy.embedded.postgres import SUPERUSER, dsn
from deploy.embedded.processes import answers
from deploy.embedded.spicedb import answers_to
from deploy.embedded.state import LOOPBACK, free_port
from deploy.embedded.store import answers_sql

READY_DEADLINE_S = 120


def wanted() -> bool:
    """AMPLY_TEST_CONTAINERS=1 asks for containers; without a Docker engine it is not heeded."""
    if os.environ.get("AMPLY_TEST_CONTAINERS") != "1":
        return False
    from docker import from_env  # type: ignore[import-untyped]  # docker publishes no types
    from docker.errors import DockerException  # type: ignore[import-untyped]  # docker publishes no types

    try:
        return bool(from_env().ping())
    except DockerException:
        return False


@contextmanager
def containers() -> Iterator[Addresses]:
    """Start three containers with ports on loopback only, and remove them at the end."""
    from testcontainers.core.container import DockerContainer

    ports: list[int] = []
    for _ in range(3):
        ports.append(free_port(ports))
    postgres_port, kafka_port, spicedb_port = ports
    password, token = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
    postgres = DockerContainer("postgres:18-alpine").with_env("POSTGRES_PASSWORD", password)
    postgres.with_command("postgres -c track_commit_timestamp=on -c max_connections=200")
    kafka = DockerContainer("apache/kafka:4.4.0")
    for key, value in _kafka_settings(kafka_port).items():
        kafka.with_env("KAFKA_" + key.upper().replace(".", "_"), value)
    spicedb = DockerContainer("authzed/spicedb:v1.56.2")
    spicedb.with_env("SPICEDB_GRPC_PRESHARED_KEY", token)
    spicedb.with_command("serve --datastore-engine=memory --telemetry-endpoint=")
    addresses = Addresses(
        dsn(SUPERUSER, password, postgres_port, "postgres"),
        f"{LOOPBACK}:{kafka_port}",
        f"{LOOPBACK}:{spicedb_port}",
        token,
    )
    inside = ((postgres, 5432, postgres_port), (kafka, 9092, kafka_port))
    with ExitStack() as stack:
        for container, port, outside in (*inside, (spicedb, 50051, spicedb_port)):
            # Docker's library takes (address, port); testcontainers types it as a port.
            cast(dict[str, object], container.ports)[f"{port}/tcp"] = (LOOPBACK, outside)
            stack.enter_context(container)
        asyncio.run(_until_ready(addresses, kafka_port))
        yield addresses


def _kafka_settings(port: int) -> dict[str, str]:
    return SETTINGS | {
        "controller.quorum.voters": "1@localhost:9093",
        "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
    }


async def _until_ready(addresses: Addresses, kafka_port: int) -> None:
    async def kafka_answers() -> bool:
        return await cluster_id_at(kafka_port) is not None

    probes: dict[str, Callable[[], Awaitable[bool]]] = {
        "PostgreSQL": lambda: answers_sql(addresses.postgres_dsn),
        "Kafka": kafka_answers,
        "SpiceDB": lambda: answers_to(addresses.spicedb_endpoint, addresses.spicedb_token),
    }
    for subject, probe in probes.items():
        if not await answers(None, probe, READY_DEADLINE_S):
            raise EngineStartError(f"the {subject} container does not answer.")
