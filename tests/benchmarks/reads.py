"""How many reads one edge answers on one core: authenticated, authorized, scoped by row security.

A read is `GET /v1/organizations/{id}/funds/{id}` with an API key that has the right in SpiceDB.
What a read takes of the processor is told too: on a busy machine the rate tells of its neighbours.
`python -m tests.benchmarks.reads URL KEY PATH COUNT CONNECTIONS` is the load: one JSON object.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from deploy.embedded import Engines, GivenAddresses
from deploy.ports import free_ports
from tests.benchmarks.load import post
from tests.edge.stand import ORIGIN, Stand

ROOT = Path(__file__).parent.parent.parent
READS, CONNECTIONS = 6_000, 32
TICKS = os.sysconf("SC_CLK_TCK")


async def run(url: str, key: str, path: str, count: int, connections: int) -> dict[str, Any]:
    """Reads on keep-alive connections, as fast as answers come."""
    parts = urlsplit(url)
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n\r\n"
    ).encode()
    statuses: dict[int, int] = {}
    latencies: list[float] = []
    numbers = iter(range(count))

    async def work() -> None:
        assert parts.hostname and parts.port
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for _ in numbers:
            begun = time.perf_counter()
            status, _ = await post(reader, writer, request)
            latencies.append(time.perf_counter() - begun)
            statuses[status] = statuses.get(status, 0) + 1
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    seconds = time.perf_counter() - started
    latencies.sort()
    return {
        "statuses": statuses,
        "per_second": statuses.get(200, 0) / seconds,
        "p99_ms": 1000 * latencies[len(latencies) * 99 // 100],
    }


@asynccontextmanager
async def stand_in(folder: Path) -> AsyncIterator[Stand]:
    """PostgreSQL and SpiceDB, and nothing that would take the processors."""
    engines = Engines(folder / "engines", given=GivenAddresses(kafka_bootstrap="127.0.0.1:1"))
    addresses = await engines.start()
    try:
        connection = await asyncpg.connect(addresses.postgres_dsn)
        await connection.execute("CREATE DATABASE reads")
        await connection.close()
        dsn = addresses.postgres_dsn.rpartition("/")[0] + "/reads"
        stand = Stand(dsn, addresses, folder)
        await stand.prepare()
        yield stand
    finally:
        await engines.stop()


@asynccontextmanager
async def edge(stand: Stand, folder: Path, memory: str) -> AsyncIterator[tuple[str, int]]:
    """An edge on one core: its address and process."""
    port = free_ports(1)[0]
    key = folder / "master"
    key.write_text(stand.settings.master_key.hex() + "\n")
    settings = {
        "AMPLY_ENVIRONMENT": "test",
        "AMPLY_LOG_ORIGIN": ORIGIN,
        "AMPLY_MASTER_KEY": str(key),
        "AMPLY_PORT": str(port),
        "AMPLY_POSTGRES": stand.settings.postgres,
        "AMPLY_PUBLIC": str(folder),
        # On, so that counting is measured too; the figure is no test of the limit itself.
        "AMPLY_RATE_LIMITS": "on key.read=1000000",
        "AMPLY_SPICEDB": stand.settings.spicedb,
        "AMPLY_SPICEDB_TOKEN": stand.settings.spicedb_token,
        "AMPLY_URL": f"http://127.0.0.1:{port}",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.reading_edge", memory),
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield settings["AMPLY_URL"], process.pid
    finally:
        process.terminate()
        await process.wait()


async def load(url: str, key: str, path: str, count: int) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.reads", url, key, path),
        *(str(count), str(CONNECTIONS)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # Nobody may listen yet.
    )
    output, _ = await process.communicate()
    result: dict[str, Any] = json.loads(output)
    return result


def processor_s(pid: int) -> float:
    """Seconds of the processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def measure(folder: Path) -> list[tuple[str, str, str]]:
    rows = []
    async with stand_in(folder) as stand:
        registered = await stand.register(scopes=("funds:read",))
        key = registered.key.secret
        path = f"/v1/organizations/{registered.id}/funds/{registered.funds['EUR']}"
        for memory, least in (("uncached", 500), ("cached", 1_500)):
            async with edge(stand, folder, memory) as (url, pid):
                while True:  # Until it listens.
                    try:
                        warm = await load(url, key, path, 200)
                    except json.JSONDecodeError:
                        await asyncio.sleep(0.5)
                        continue
                    if warm["statuses"] == {"200": 200}:
                        break
                before = processor_s(pid)
                told = await load(url, key, path, READS)
                used_ms = (processor_s(pid) - before) * 1000 / READS
            other = {status: n for status, n in told["statuses"].items() if status != "200"} or ""
            what = "every one asked of SpiceDB" if memory == "uncached" else "decisions kept 2 s"
            rows.append(
                (
                    f"reads on one core, {what}",
                    f">= {least}/s",
                    f"{told['per_second']:.0f}/s, {used_ms:.2f} ms of the core each {other}",
                )
            )
    return rows


if __name__ == "__main__":
    url, key, path, count, connections = sys.argv[1:]
    print(json.dumps(asyncio.run(run(url, key, path, int(count), int(connections)))))
