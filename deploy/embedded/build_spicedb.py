"""Builds the real SpiceDB into the cache, once, where a Go of version 1.26 or later can be had.

Run as `python -m deploy.embedded.build_spicedb`: it takes 3 to 7 minutes and is never done on its
own. The next start then uses the binary instead of the library: it answers about four times as
many checks.
"""

import asyncio
import os
import re
import shutil
from pathlib import Path

from deploy.embedded.cache import Cache, default_cache
from deploy.embedded.errors import FetchError
from deploy.embedded.fetch import run_client

VERSION = "v1.56.2"
MODULE = "github.com/authzed/spicedb/cmd/spicedb"
GO_MINOR_MIN = 26
EXPECTED_BYTES = 120 * 1024 * 1024
SUBJECT = f"SpiceDB {VERSION}"


def cached_binary(cache: Path) -> Path:
    """Where the built binary lies, whether or not it was built."""
    return cache / f"spicedb-{VERSION}" / "spicedb"


async def build_spicedb(cache: Cache) -> Path:
    """Build and return the binary; Go's own checksum database vouches for the sources."""
    go = shutil.which("go")
    if go is None:
        raise FetchError(f"{SUBJECT} is built with Go 1.{GO_MINOR_MIN} or later: put `go` on PATH.")
    cache.root.mkdir(parents=True, exist_ok=True)
    version = await run_client(cache, "Go", [go, "version"], cache.root)
    found = re.search(r"go1\.(\d+)", version)
    if found is None or int(found.group(1)) < GO_MINOR_MIN:
        raise FetchError(
            f"{SUBJECT} needs Go 1.{GO_MINOR_MIN} or later; here is {version.strip()}."
        )

    async def install(partial: Path) -> None:
        environment = {"GOBIN": str(partial), "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
        command = [go, "install", f"{MODULE}@{VERSION}"]
        await run_client(cache, SUBJECT, command, partial, **environment)
        if not os.access(partial / "spicedb", os.X_OK):
            raise FetchError(f"Go built no {SUBJECT}: is GOOS or GOARCH set to another machine?")

    folder = await cache.ensure(f"spicedb-{VERSION}", SUBJECT, EXPECTED_BYTES, install)
    return folder / "spicedb"


if __name__ == "__main__":
    print(asyncio.run(build_spicedb(Cache(default_cache(), print))))
