"""Starts, watches over and stops the three engines of one data directory.

Kafka starts beside PostgreSQL; SpiceDB follows PostgreSQL, which holds its data. All are children
of this process and die with it: call `start` from a thread that lives as long as they should (the
main one), since the kernel's notice of a starter's death means the starting thread's.
"""

import asyncio
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from deploy.embedded import fetch
from deploy.embedded.addresses import Addresses, GivenAddresses
from deploy.embedded.build_spicedb import cached_binary
from deploy.embedded.cache import Cache, default_cache
from deploy.embedded.errors import EngineError
from deploy.embedded.events import Event, Progress, silent
from deploy.embedded.kafka import Kafka, KafkaProgram
from deploy.embedded.kafka_training import train, trained
from deploy.embedded.postgres import Postgres
from deploy.embedded.processes import Child, bound_log
from deploy.embedded.spicedb import SpiceDB, SpiceDBProgram, find_binary
from deploy.embedded.state import DirectoryLock, State, load_secrets

LOG_CHECK_S = 10

Engine = Postgres | Kafka | SpiceDB


class Engines:
    """Use as an asynchronous context manager, or call `start` and `stop`.

    `data_directory` is created with mode 700; its layout is `postgres/ kafka/ spicedb/ logs/
    secrets engines.json lock`. Engines given by address are neither fetched nor started.
    """

    def __init__(
        self,
        data_directory: Path,
        *,
        cache: Path | None = None,
        given: GivenAddresses | None = None,
        progress: Progress = silent,
    ) -> None:
        self._directory = data_directory.absolute()
        self._cache = Cache((cache or default_cache()).absolute(), progress)
        self._given = given or GivenAddresses()
        self._progress = progress
        self._lock = DirectoryLock(self._directory)
        self._state = State(self._directory / "engines.json")
        self._secrets: dict[str, str] = {}
        self._engines: dict[str, Engine] = {}
        self._background: list[asyncio.Task[None]] = []
        self._kafka_program: KafkaProgram | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> Addresses:
        """Fetch what is missing and start what is not given; ready to use when this returns.

        Raises an EngineError with one sentence; nothing is left running then.
        """
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock.take()
        except OSError as error:
            raise EngineError(
                f"the data directory {self._directory} cannot be used ({error.strerror}): "
                "choose another."
            ) from None
        try:
            self._state = State.load(self._directory)
            await self._state.end_survivors()
            self._secrets = load_secrets(self._directory)
            postgres = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._start_postgres(postgres))
                group.create_task(self._start_kafka())
                group.create_task(self._start_spicedb(postgres))
        except BaseExceptionGroup as failures:
            await self.stop()
            raise _first(failures) from None
        except BaseException:
            await self.stop()
            raise
        self._background.append(asyncio.create_task(self._bound_logs()))
        if self._kafka_program is not None and trained(self._cache, self._kafka_program) is None:
            self._background.append(asyncio.create_task(self._train(self._kafka_program)))
        return self.addresses

    async def stop(self) -> None:
        """Stop everything in order, PostgreSQL last, and free the directory. Safe to call twice."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        self._background.clear()
        await asyncio.gather(self._end("spicedb"), self._end("kafka"))
        await self._end("postgres")
        self._lock.release()

    @property
    def addresses(self) -> Addresses:
        """Where the engines answer; meaningful after `start`."""
        postgres, kafka, spicedb = (self._engines.get(n) for n in ("postgres", "kafka", "spicedb"))
        return Addresses(
            postgres.dsn if isinstance(postgres, Postgres) else self._given.postgres_dsn or "",
            kafka.bootstrap if isinstance(kafka, Kafka) else self._given.kafka_bootstrap or "",
            spicedb.endpoint
            if isinstance(spicedb, SpiceDB)
            else self._given.spicedb_endpoint or "",
            self._given.spicedb_token or self._secrets["spicedb_token"],
        )

    def pid(self, name: str) -> int:
        """The process id of a started engine: "postgres", "kafka" or "spicedb"."""
        return self._child(name).pid

    async def kill(self, name: str) -> None:
        """kill -9, as a crash would, and wait until it is gone; `restart` brings it back."""
        await self._child(name).kill()

    async def restart(self, name: str) -> None:
        """Stop the engine if it runs and start it again on the same port."""
        await self._child(name).stop()
        await self._launch(self._engines[name])

    def _child(self, name: str) -> Child:
        engine = self._engines.get(name)
        if engine is None or engine.child is None:
            raise EngineError(f"{name} is not started here.")
        return engine.child

    async def _start_postgres(self, started: asyncio.Event) -> None:
        if self._given.postgres_dsn is not None:
            self._progress(Event("given", Postgres.subject))
        else:
            packages = await fetch.POSTGRESQL.ensure(self._cache)
            port = self._state.port("postgres")
            password = self._secrets["postgres_password"]
            folder, log = self._directory / "postgres", self._log("postgres")
            await self._launch(Postgres(packages, folder, log, port, password))
        started.set()

    async def _start_kafka(self) -> None:
        if self._given.kafka_bootstrap is not None:
            self._progress(Event("given", Kafka.subject))
            return
        tools = await fetch.KAFKA_TOOLS.ensure(self._cache)
        jars = await fetch.ensure_kafka_jars(self._cache, tools)
        program = KafkaProgram(str(fetch.java(tools)), jars)
        ports = self._state.port("kafka"), self._state.port("kafka_controller")
        kafka = Kafka(program, self._directory / "kafka", self._log("kafka"), *ports)
        kafka.startup_cache = trained(self._cache, program)
        self._kafka_program = program
        await self._launch(kafka)

    async def _start_spicedb(self, postgres: asyncio.Event) -> None:
        if self._given.spicedb_endpoint is not None:
            self._progress(Event("given", SpiceDB.subject))
            return
        binary = find_binary(cached_binary(self._cache.root))
        if binary is not None:
            program = SpiceDBProgram(binary=binary)
        else:
            program = SpiceDBProgram(library=await fetch.ensure_spicedb_library(self._cache))
        await postgres.wait()
        server = self._engines.get("postgres")
        dsn = server.dsn if isinstance(server, Postgres) else self._given.postgres_dsn or ""
        port = self._state.port("spicedb")
        folder, log = self._directory / "spicedb", self._log("spicedb")
        await self._launch(SpiceDB(program, folder, log, port, self._secrets, dsn))

    async def _launch(self, engine: Engine) -> None:
        began = monotonic()
        self._engines[engine.name] = engine
        self._progress(Event("starting", engine.subject, port=engine.port))
        await engine.start(self._state.remember)
        seconds = monotonic() - began
        self._progress(Event("started", engine.subject, seconds=seconds, port=engine.port))

    async def _end(self, name: str) -> None:
        engine = self._engines.pop(name, None)
        if engine is not None and engine.child is not None:
            await engine.child.stop()
            self._state.forget(name)
            self._progress(Event("stopped", engine.subject))

    def _log(self, name: str) -> Path:
        return self._directory / "logs" / f"{name}.log"

    async def _bound_logs(self) -> None:
        while True:
            await asyncio.sleep(LOG_CHECK_S)
            for name in tuple(self._engines):
                bound_log(self._log(name))

    async def _train(self, program: KafkaProgram) -> None:
        """Later starts are faster with the cache, and work without it: a failure is only
        reported.
        """
        try:
            await train(self._cache, program)
            kafka = self._engines.get("kafka")
            if isinstance(kafka, Kafka):
                kafka.startup_cache = trained(self._cache, program)
        except EngineError as error:
            self._progress(Event("failed", "Kafka start-up cache", detail=str(error)))


def _first(failures: BaseExceptionGroup) -> BaseException:
    """The first failure itself: the others are cancellations or follow from it."""
    for failure in failures.exceptions:
        if isinstance(failure, EngineError):
            return failure
    return failures.exceptions[0]
