"""Run as a script in its own process: fetches the jars of a lock file with jgo, eight at a time.

Usage: kafka_jars.py TOOLS LOCK FOLDER. TOOLS is put on the module path, so that jgo and what it
needs never mix with the platform's packages. A lock line is `group:artifact:version sha256`; a jar
that is there with the right checksum is not fetched again, and any other is refused. jgo's own
check only warns, hence ours. Each lock line was resolved alone: jgo takes every root as a bill of
materials for the others.
"""

import hashlib
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

NETWORK_TIMEOUT_S = 60
THREADS = 8


def sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fetch_jar(context: Any, line: str, folder: Path) -> None:
    coordinate, sha256 = line.split()
    group, artifact, version = coordinate.split(":")
    target = folder / f"{artifact}-{version}.jar"
    if target.exists() and sha256_of(target) == sha256:
        return
    resolved = Path(context.project(group, artifact).at_version(version).artifact().resolve())
    if sha256_of(resolved) != sha256:
        resolved.unlink()
        raise SystemExit(f"checksum mismatch: {coordinate}")
    resolved.replace(target)


def main(tools: str, lock: str, folder: str) -> None:
    sys.path.insert(0, tools)
    from jgo.maven import MavenContext

    resolver_cache = Path(folder) / ".resolver"
    context = MavenContext(repo_cache=resolver_cache, timeout=NETWORK_TIMEOUT_S)
    lines = [line for line in Path(lock).read_text().splitlines() if line and line[0] != "#"]
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(lambda line: fetch_jar(context, line, Path(folder)), lines):
            pass
    shutil.rmtree(resolver_cache, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
