"""The log's public files, as the checkpoints process writes them and the edge shows them."""

import asyncio
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from amply_verify.tiles import TileTree
from edge.waiting import Waiters
from ledger.tiles import TileFolder

_FILE: Final = re.compile(
    r"checkpoint(\.witnessed)?|vkey|tile/([0-9]|entries)/(x[0-9]{3}/){0,5}[0-9]{3}(\.p/[0-9]{1,3})?"
)
_LOOK_EVERY_S: Final = 0.05
_CHECKPOINT: Final = "checkpoint"
_WITNESSED: Final = "checkpoint.witnessed"


class _NoteFile:
    """A note that another process writes, whole, by a rename."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.stamp: tuple[int, int] | None = None
        self._note: str | None = None

    def read(self) -> str | None:
        """The note; None when there is none."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self.stamp:
                self._note = self._path.read_text("utf-8")
                self.stamp = stamp
        except FileNotFoundError:
            self._note = self.stamp = None
        return self._note


class PublishedLog:
    """One log's folder. A checkpoint's tiles are there before it is."""

    def __init__(self, public: Path, origin: str) -> None:
        number = origin.rpartition("/")[2]
        self.number = int(number)
        self._folder = public / "log" / number
        self.tiles = TileFolder(self._folder)
        self._newest = _NoteFile(self._folder / _CHECKPOINT)
        self._witnessed = _NoteFile(self._folder / _WITNESSED)
        self._waiters: Waiters[str] = Waiters()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch for new checkpoints."""
        self._task = asyncio.create_task(self._watch(), name="published-log")

    async def close(self) -> None:
        """Let everybody look one last time, then stop."""
        self._waiters.close()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def file(self, path: str) -> Path | None:
        """The file under a path of tlog-tiles; None when there is none or the path is another."""
        if not _FILE.fullmatch(path):
            return None
        file = self._folder / path
        return file if file.is_file() else None

    def note(self) -> str | None:
        """The newest published checkpoint, a signed note; None before the first."""
        return self._newest.read()

    def proofs(self, size: int) -> TileTree:
        """Proofs in the tree of a published size."""
        return self.tiles.tree(size)

    async def note_covering(self, index: int, wait_s: float) -> str | None:
        """A checkpoint whose tree holds `index`; None when there is none within `wait_s`.

        One that witnesses cosigned comes first: it convinces those too who do not trust the log.
        """

        async def look() -> str | None:
            for note in (self._witnessed.read(), self._newest.read()):
                if note is not None and size_of(note) > index:
                    return note
            return None

        return await self._waiters.until(_CHECKPOINT, look, lambda note: note is not None, wait_s)

    async def _watch(self) -> None:
        # Looking is cheaper than telling.
        while True:
            stamp = self._newest.stamp
            self._newest.read()
            if self._newest.stamp != stamp:
                self._waiters.wake_all()
            await asyncio.sleep(_LOOK_EVERY_S)


def size_of(note: str) -> int:
    """The tree size that a checkpoint states on its second line."""
    return int(note.split("\n", 2)[1])
