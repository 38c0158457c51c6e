"""Where a published log is read from: a directory, or an http(s) or file URL. Files are bounded."""

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from amply_verify.errors import UnreadableError

FILE_BYTES_MAX = 32 * 1024 * 1024
HTTP_TIMEOUT_S = 30

ReadFile = Callable[[str], bytes | None]
"""path under the log's prefix -> its bytes, or None when the log has no such file."""


def open_log(location: str) -> ReadFile:
    """Reads files of the log at `location`; the reader raises UnreadableError on any other failure.

    HTTP 404 and 410 count as "no such file"; nothing is fetched but what the audit asks for.
    """
    if location.startswith(("http://", "https://")):
        return _http_reader(location.rstrip("/"))
    if location.startswith("file://"):
        location = urllib.request.url2pathname(urllib.parse.urlsplit(location).path)
    root = Path(location)
    if not root.is_dir():
        raise UnreadableError(f"{location} is no directory and no http, https or file URL")
    return _directory_reader(root)


def read_bounded(path: Path) -> bytes:
    """The bytes of a file; raises OSError, and UnreadableError when it is larger than allowed."""
    with path.open("rb") as stream:
        data = stream.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise UnreadableError(f"{path} is larger than {FILE_BYTES_MAX} bytes")
    return data


def _directory_reader(root: Path) -> ReadFile:
    def read(name: str) -> bytes | None:
        try:
            return read_bounded(root / name)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise UnreadableError(f"{root / name} cannot be read: {error.strerror}") from error

    return read


def _http_reader(prefix: str) -> ReadFile:
    def read(name: str) -> bytes | None:
        try:
            # The prefix was checked to be http or https, and redirects cannot leave these schemes.
            with urllib.request.urlopen(f"{prefix}/{name}", timeout=HTTP_TIMEOUT_S) as answer:  # noqa: S310 only http and https get here, see above
                data: bytes = answer.read(FILE_BYTES_MAX + 1)
        except urllib.error.HTTPError as error:
            if error.code in (404, 410):
                return None
            raise UnreadableError(f"{prefix}/{name} answers HTTP {error.code}") from error
        except (OSError, HTTPException, ValueError) as error:
            raise UnreadableError(f"{prefix}/{name} cannot be fetched: {error}") from error
        if len(data) > FILE_BYTES_MAX:
            raise UnreadableError(f"{prefix}/{name} is larger than {FILE_BYTES_MAX} bytes")
        return data

    return read
