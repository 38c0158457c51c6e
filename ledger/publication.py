"""Where a log's public files go: one interface, and its form as a directory.

Rules: a file is there whole or not at all, and stays after a power cut; nothing is written outside
the folder; two publishers never write into one folder at once.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

_PATH: Final = re.compile(
    r"checkpoint\.witnessed|[a-z0-9]+(?:\.p)?(?:/[a-z0-9]+(?:\.p)?)*"
).fullmatch
_TEMPORARY: Final = ".new"


class PublicationError(RuntimeError):
    """The files of the log cannot be published."""


class Publication(Protocol):
    """A place for public files: tlog-tiles' relative paths, and `checkpoint.witnessed`."""

    def write(self, path: str, data: bytes) -> None:
        """Publish one file, durably."""

    def write_all(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Publish several files, durably, in no particular order."""

    def remove_partials(self, paths: Iterable[str]) -> None:
        """The full tiles at these paths are public: their partial ones may go."""

    def read(self, path: str) -> bytes | None:
        """What was published under a path, if anything."""

    def missing(self, paths: Iterable[str]) -> list[str]:
        """Those of the paths under which nothing was published."""


class Directory:
    """A folder that a web server shows. Holds a lock on it until it is closed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise PublicationError(f"another process publishes into {folder}") from error

    def close(self) -> None:
        """Let another publisher have the folder."""
        os.close(self._lock)

    def write(self, path: str, data: bytes) -> None:
        """Publish one file: temporary file, fsync, rename, fsync of its folder."""
        self.write_all([(path, data)])

    def write_all(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Publish several files; their folders are synchronised once, at the end."""
        folders: set[Path] = set()
        for path, data in files:
            target = self._resolve(path)
            self._make(target.parent)
            temporary = target.with_name(target.name + _TEMPORARY)
            with temporary.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(target)
            folders.add(target.parent)
        for folder in folders:
            _synchronise(folder)

    def remove_partials(self, paths: Iterable[str]) -> None:
        """Remove `<path>.p/` and all in it, for each full tile."""
        for path in paths:
            partials = self._resolve(path + ".p")
            if partials.is_dir():
                shutil.rmtree(partials)

    def read(self, path: str) -> bytes | None:
        """What was published under a path, if anything."""
        try:
            return self._resolve(path).read_bytes()
        except FileNotFoundError:
            return None

    def missing(self, paths: Iterable[str]) -> list[str]:
        """Those of the paths under which there is no file."""
        return [path for path in paths if not self._resolve(path).is_file()]

    def _resolve(self, path: str) -> Path:
        if _PATH(path) is None:
            raise PublicationError(f"{path!r} is no path of a log's file")
        return self._folder / path

    def _make(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make(folder.parent)
        folder.mkdir(exist_ok=True)
        _synchronise(folder.parent)


def _synchronise(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
