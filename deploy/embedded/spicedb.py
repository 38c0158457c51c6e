"""SpiceDB with its relationships in our PostgreSQL, so that they outlive every restart.

A real `spicedb` is used where there is one (AMPLY_SPICEDB_BINARY, PATH, our cache: see
build_spicedb), else the library behind our gateway process. Both use the same tables; only the
binary can migrate them, so for the library they are created from `spicedb_tables.sql`.
"""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio

from deploy.embedded.errors import EngineStartError
from deploy.embedded.processes import Child, Launched, answers, run_to_end
from deploy.embedded.state import LOOPBACK
from deploy.embedded.store import create_tables, prepare_database

READY_DEADLINE_S = 60
PROBE_TIMEOUT_S = 2
MIGRATION_TIMEOUT_S = 120
SOURCE_ROOT = Path(__file__).resolve().parents[2]
MEMORY_SOFT_LIMIT = "96MiB"

# Defaults would take 30 connections and 70 % of the machine's memory for caches, listen on every
# interface, and report home.
BINARY_FLAGS = (
    "--datastore-engine=postgres",
    "--datastore-conn-pool-read-max-open=6",
    "--datastore-conn-pool-read-min-open=1",
    "--datastore-conn-pool-write-max-open=4",
    "--datastore-conn-pool-write-min-open=1",
    "--dispatch-cache-max-cost=16MiB",
    "--ns-cache-max-cost=4MiB",
    "--lookup-resources-chunk-cache-max-cost=4MiB",
    "--stored-schema-cache-max-cost=4MiB",
    "--dispatch-cluster-enabled=false",
    "--metrics-enabled=false",
    "--http-enabled=false",
    "--telemetry-endpoint=",
    "--skip-release-check",
    "--log-level=warn",
)


@dataclass(frozen=True, slots=True)
class SpiceDBProgram:
    """What runs: a real binary, or the library behind the gateway. Exactly one is set."""

    binary: Path | None = None
    library: Path | None = None


def find_binary(cached: Path) -> Path | None:
    """The first real SpiceDB there is: AMPLY_SPICEDB_BINARY, then PATH, then the cache."""
    if chosen := os.environ.get("AMPLY_SPICEDB_BINARY"):
        path = Path(chosen).expanduser().absolute()
        if not os.access(path, os.X_OK):
            raise EngineStartError(f"AMPLY_SPICEDB_BINARY names {path}, which cannot be executed.")
        return path
    if on_path := shutil.which("spicedb"):
        return Path(on_path)
    return cached if os.access(cached, os.X_OK) else None


async def answers_to(endpoint: str, token: str) -> bool:
    """Whether the SpiceDB there knows our token: a schema, or none yet, is an answer; a refusal is
    not.
    """
    async with grpc.aio.insecure_channel(endpoint) as channel:
        read_schema = channel.unary_unary("/authzed.api.v1.SchemaService/ReadSchema")
        try:
            await read_schema(
                b"", metadata=(("authorization", f"Bearer {token}"),), timeout=PROBE_TIMEOUT_S
            )
        except grpc.aio.AioRpcError as error:
            return bool(error.code() == grpc.StatusCode.NOT_FOUND)
    return True


class SpiceDB:
    """One server on one port, with its data in the PostgreSQL of `superuser_dsn`."""

    name = "spicedb"
    subject = "SpiceDB"

    def __init__(
        self,
        program: SpiceDBProgram,
        folder: Path,
        log: Path,
        port: int,
        credentials: dict[str, str],
        superuser_dsn: str,
    ) -> None:
        self._program = program
        self._folder = folder
        self._log = log
        self.port = port
        self._token = credentials["spicedb_token"]
        self._password = credentials["spicedb_postgres_password"]
        self._superuser_dsn = superuser_dsn
        self.child: Child | None = None

    @property
    def endpoint(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    async def start(self, launched: Launched) -> None:
        """Prepare the database, launch, and wait until our own token is accepted."""
        self._folder.mkdir(parents=True, exist_ok=True)
        dsn = await prepare_database(self._superuser_dsn, self._password)
        if self._program.binary is not None:
            await self._migrate(self._program.binary, dsn)
        else:
            await create_tables(dsn)
        self.child = self._launch(dsn)
        launched(self.name, self.child)

        async def ready() -> bool:
            return await answers_to(self.endpoint, self._token)

        if not await answers(self.child, ready, READY_DEADLINE_S):
            words = self.child.last_words()
            await self.child.kill()
            raise EngineStartError(f"SpiceDB did not start, see {self._log}: {words}")

    def _launch(self, dsn: str) -> Child:
        environment = {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "HOME": str(self._folder),
            "GOMEMLIMIT": MEMORY_SOFT_LIMIT,
        }
        # Secrets go by environment: arguments are visible to everybody on the machine.
        if self._program.binary is not None:
            command = [str(self._program.binary), "serve", f"--grpc-addr={self.endpoint}"]
            command += BINARY_FLAGS
            environment |= {
                "SPICEDB_GRPC_PRESHARED_KEY": self._token,
                "SPICEDB_DATASTORE_CONN_URI": dsn,
            }
        else:
            gateway = [sys.executable, "-m", "deploy.embedded.spicedb_gateway"]
            command = [*gateway, str(self._program.library), str(self.port)]
            environment |= {
                "PYTHONPATH": os.pathsep.join([str(SOURCE_ROOT), *filter(None, sys.path)]),
                "AMPLY_SPICEDB_TOKEN": self._token,
                "AMPLY_SPICEDB_DATASTORE": dsn,
            }
        return Child(command, folder=self._folder, log=self._log, environment=environment)

    async def _migrate(self, binary: Path, dsn: str) -> None:
        command = [str(binary), "datastore", "migrate", "head"]
        code, printed = await run_to_end(
            [*command, "--datastore-engine=postgres", "--skip-release-check"],
            folder=self._folder,
            environment={"PATH": os.defpath, "SPICEDB_DATASTORE_CONN_URI": dsn},
            timeout_s=MIGRATION_TIMEOUT_S,
        )
        if code != 0:
            reason = printed[-500:].replace(self._password, "***")
            raise EngineStartError(f"SpiceDB could not migrate its database: {reason}")
