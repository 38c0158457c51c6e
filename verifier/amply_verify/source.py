"""Where a published log is read from: a directory, or an http(s) or file URL. Files are bounded.

A reader goes to other processes as it is. Over HTTP several files are fetched at once, and what a
busy or restarting server refuses for the moment is asked for again, later and later.
"""

import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from random import uniform

from amply_verify.errors import UnreadableError

FILE_BYTES_MAX = 32 * 1024 * 1024
HTTP_TIMEOUT_S = 30
HTTP_PARALLEL = 8
RETRY_DELAYS_S = (0.5, 1.0, 2.0, 4.0)
_PASSING_STATUS = frozenset((408, 425, 429, 500, 502, 503, 504))

ReadFile = Callable[[str], bytes | None]
"""path under the log's prefix -> its bytes, or None when the log has no such file."""


def open_log(location: str) -> ReadFile:
    """Reads files of the log at `location`; the reader raises UnreadableError on any other failure.

    HTTP 404 and 410 count as "no such file"; nothing is fetched but what the audit asks for.
    """
    if location.startswith(("http://", "https://")):
        return HttpLog(location.rstrip("/"))
    if location.startswith("file://"):
        location = urllib.request.url2pathname(urllib.parse.urlsplit(location).path)
    root = Path(location)
    if not root.is_dir():
        raise UnreadableError(f"{location} is no directory and no http, https or file URL")
    return DirectoryLog(root)


def read_ahead(read: ReadFile, names: Sequence[str]) -> ReadFile:
    """Reads like `read`, with the files `names` fetched at once where that saves time."""
    if not isinstance(read, HttpLog):
        return read
    with ThreadPoolExecutor(HTTP_PARALLEL) as pool:
        fetched = dict(zip(names, pool.map(read, names), strict=True))
    return lambda name: fetched.pop(name) if name in fetched else read(name)


def read_bounded(path: Path) -> bytes:
    """The bytes of a file; raises OSError, and UnreadableError when it is larger than allowed."""
    with path.open("rb") as stream:
        data = stream.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise UnreadableError(f"{path} is larger than {FILE_BYTES_MAX} bytes")
    return data


@dataclass(frozen=True, slots=True)
class DirectoryLog:
    """Reads the files below `root`."""

    root: Path

    def __call__(self, name: str) -> bytes | None:
        """The bytes of one file."""
        try:
            return read_bounded(self.root / name)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise UnreadableError(f"{self.root / name} cannot be read: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class HttpLog:
    """Reads the files below the address `prefix`."""

    prefix: str

    def __call__(self, name: str) -> bytes | None:
        """The bytes of one file, asked for up to five times while the server says "not now"."""
        for delay_s in RETRY_DELAYS_S:
            try:
                return self._fetch(name)
            except _PassingError:
                # Spread out, so that many readers of one log do not come back in step.
                time.sleep(delay_s * uniform(0.5, 1.0))  # noqa: S311 spreads load, keeps no secret
        try:
            return self._fetch(name)
        except _PassingError as error:
            raise UnreadableError(f"{error} ({len(RETRY_DELAYS_S) + 1} tries)") from error

    def _fetch(self, name: str) -> bytes | None:
        address = f"{self.prefix}/{name}"
        try:
            # The prefix was checked to be http or https, and redirects cannot leave these schemes.
            with urllib.request.urlopen(address, timeout=HTTP_TIMEOUT_S) as answer:  # noqa: S310 only http and https get here, see above
                data: bytes = answer.read(FILE_BYTES_MAX + 1)
                announced = answer.headers.get("Content-Length", "")
                if announced.isdecimal() and len(data) < min(int(announced), FILE_BYTES_MAX):
                    # A bounded read does not say by itself that the connection broke.
                    raise IncompleteRead(data, int(announced) - len(data))
        except urllib.error.HTTPError as error:
            if error.code in (404, 410):
                return None
            kind = _PassingError if error.code in _PASSING_STATUS else UnreadableError
            raise kind(f"{address} answers HTTP {error.code}") from error
        except (OSError, HTTPException, ValueError) as error:
            cause = error.reason if isinstance(error, urllib.error.URLError) else error
            broken = isinstance(cause, TimeoutError | ConnectionResetError | HTTPException)
            kind = _PassingError if broken else UnreadableError
            raise kind(f"{address} cannot be fetched: {cause}") from error
        if len(data) > FILE_BYTES_MAX:
            raise UnreadableError(f"{address} is larger than {FILE_BYTES_MAX} bytes")
        return data


class _PassingError(Exception):
    """The server or the way to it failed in a manner that often passes."""
