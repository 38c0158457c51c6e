"""The folder in which fetched engines lie, shared by every data directory and process of a user.

An artefact is a folder whose name ends in a digest of what it was made from. It appears by one
rename when it is complete, so a folder that exists is whole; what an interrupted fetch left in
`<name>.partial` is continued by the next one. A lock per artefact keeps two processes from
fetching the same thing.
"""

import asyncio
import fcntl
import hashlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

from deploy.embedded.errors import FetchError
from deploy.embedded.events import Event, Progress

LOCK_POLL_S = 0.1


def default_cache() -> Path:
    """`AMPLY_CACHE` if set, else `amply` in the user's cache folder (XDG, or Library/Caches on
    macOS).
    """
    if chosen := os.environ.get("AMPLY_CACHE"):
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "amply"
    base = os.environ.get("XDG_CACHE_HOME")
    # The XDG specification says that a relative path there is to be ignored.
    return (Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache") / "amply"


def digest_of(*parts: str | bytes) -> str:
    """Twelve hex digits that stand for everything an artefact is made from."""
    running = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        running.update(len(raw).to_bytes(8, "big") + raw)
    return running.hexdigest()[:12]


def size_bytes(folder: Path) -> int:
    """What the files under a folder occupy, links not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


class Cache:
    """Artefacts by name; `root` is made when the first one is fetched."""

    def __init__(self, root: Path, progress: Progress) -> None:
        self.root = root
        self.progress = progress

    def path(self, name: str) -> Path:
        return self.root / name

    async def ensure(
        self,
        name: str,
        subject: str,
        expected_bytes: int,
        make: Callable[[Path], Awaitable[None]],
    ) -> Path:
        """Return the artefact's folder, having `make` fill it first if nobody has.

        `make` gets the partial folder, which may hold what an earlier attempt completed; it raises
        a FetchError when it cannot finish, and the partial folder stays for the next attempt.
        """
        complete = self.path(name)
        if complete.is_dir():
            return complete
        async with self._locked(name):
            if complete.is_dir():
                return complete
            began = monotonic()
            self.progress(Event("fetching", subject, size_bytes=expected_bytes))
            partial = self.path(name + ".partial")
            partial.mkdir(parents=True, exist_ok=True)
            await make(partial)
            partial.rename(complete)
            size = await asyncio.to_thread(size_bytes, complete)
            self.progress(Event("fetched", subject, size_bytes=size, seconds=monotonic() - began))
        return complete

    @asynccontextmanager
    async def _locked(self, name: str) -> AsyncIterator[None]:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            file = self.path(f".{name}.lock").open("a")
        except OSError as error:
            raise FetchError(
                f"the cache {self.root} cannot be written ({error.strerror}): "
                "set AMPLY_CACHE to a folder that can."
            ) from None
        with file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await asyncio.sleep(LOCK_POLL_S)
            yield
