"""Trains Java's ahead-of-time cache for Kafka once (JEP 514), which halves every later start.

A throw-away broker runs with `-XX:AOTCacheOutput` and writes the cache when it ends (about 10 s).
It is valid for exactly one Java and one set of jars at one place, which its name therefore stands
for.
"""

import os
import shutil
import signal
from pathlib import Path

from deploy.embedded.cache import Cache, digest_of
from deploy.embedded.errors import FetchError
from deploy.embedded.kafka import (
    ENVIRONMENT,
    KafkaProgram,
    cluster_id_at,
    configure,
    format_storage,
)
from deploy.embedded.processes import Child, answers, until
from deploy.embedded.state import free_port

FILE = "kafka.aot"
READY_DEADLINE_S = 120
DUMP_DEADLINE_S = 300
EXPECTED_BYTES = 60 * 1024 * 1024


def startup_cache_folder(program: KafkaProgram) -> str:
    """The artefact's name: another Java, jar or place of them makes another cache."""
    return f"kafka-startup-{digest_of(program.java, *(str(jar) for jar in program.jars))}"


def trained(cache: Cache, program: KafkaProgram) -> Path | None:
    """The cache file if somebody has trained it."""
    file = cache.path(startup_cache_folder(program)) / FILE
    return file if file.exists() else None


async def train(cache: Cache, program: KafkaProgram) -> None:
    """Train unless that is done; a cancelled training leaves nothing running."""

    async def run(partial: Path) -> None:
        folder = partial / "broker"
        shutil.rmtree(folder, ignore_errors=True)
        port, controller_port = free_port(), free_port()
        await format_storage(program, folder, port, controller_port)
        output = partial / FILE
        child = Child(
            program.broker(
                configure(folder, folder / "data", port, controller_port),
                [f"-XX:AOTCacheOutput={output}"],
            ),
            folder=folder,
            log=partial / "training.log",
            environment=ENVIRONMENT,
        )
        os.setpriority(os.PRIO_PROCESS, child.pid, 15)

        async def ready() -> bool:
            return await cluster_id_at(port) is not None

        try:
            if not await answers(child, ready, READY_DEADLINE_S):
                raise FetchError(f"the training broker did not start: {child.last_words()}")
            child.process.send_signal(signal.SIGTERM)
            await until(lambda: not child.alive, DUMP_DEADLINE_S)
        finally:
            child.kill_group()
        if not output.exists():
            raise FetchError(f"Java wrote no start-up cache: {child.last_words()}")
        shutil.rmtree(folder)

    await cache.ensure(startup_cache_folder(program), "Kafka start-up cache", EXPECTED_BYTES, run)
