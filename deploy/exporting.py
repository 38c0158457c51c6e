"""Fetching an export over HTTP: count first, continued where it broke, checked with its manifest.

While it is incomplete the copy lies in `FILE.part`, and `FILE.part.json` says which copy it is; the
next run of the same request continues it. FILE appears whole, after its manifest was compared.
"""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import orjson

from deploy.client import RefusedByEdgeError

#: Tries without a byte in between.
ATTEMPTS_MAX: Final = 6
_RETRY_DELAY_S: Final = 0.5
#: To continue late in a large copy, the server makes the beginning again before it sends.
_READ_S_MAX: Final = 300
_CHUNK_BYTES: Final = 1 << 16
_RETRIED: Final = frozenset({409, 429, 502, 503, 504})

Progress = Callable[[int, int], None]
"""Entries of the whole copy, bytes that are here."""


class ExportChangedError(Exception):
    """What the copy shows changed while it was fetched. Run the command again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to fetch. With an `api_key`, all money and details that it may see."""

    organization: str
    format: str
    since: int | None
    bom: bool
    kind: str | None = None
    with_openings: bool

    def path(self) -> str:
        """The address of the newest such copy."""
        scope = "" if self.with_openings else "/public"
        query = {
            "format": self.format,
            "since": self.since,
            "kind": self.kind,
            "bom": "true" if self.bom else None,
        }
        named = {name: value for name, value in query.items() if value is not None}
        return f"/v1{scope}/organizations/{self.organization}/ledger/export?{urlencode(named)}"


async def fetch(
    url: str, api_key: str | None, wanted: Wanted, file: Path, progress: Progress
) -> dict[str, Any]:
    """Write the copy to `file` and its manifest beside it; the manifest.

    RefusedByEdgeError with the edge's own words; ExportChangedError when the bytes are not those
    that the manifest names; aiohttp.ClientError or TimeoutError when the edge stays away.
    """
    part = _Part(file, wanted)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=_READ_S_MAX)
    headers = {"Accept-Encoding": "identity"}
    if wanted.with_openings:
        headers["Authorization"] = f"Bearer {api_key}"
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        address = await _fetch_whole(session, part, url, wanted.path(), progress)
        before, _, query = address.partition("?")
        manifest = await _get(session, f"{url}{before}/manifest?{query}")
    with part.path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if (part.bytes, digest) != (manifest["bytes"], manifest["sha256"]):
        part.forget()
        raise ExportChangedError(ExportChangedError.__doc__)
    manifest_file = file.with_name(file.name + ".manifest.json")
    manifest_file.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n")
    part.path.replace(file)
    part.forget()
    return manifest


async def _fetch_whole(
    session: aiohttp.ClientSession, part: "_Part", url: str, newest: str, progress: Progress
) -> str:
    """Bring the rest of the copy here, however often it breaks; the copy's own address."""
    failures = 0
    while True:
        had = part.bytes
        try:
            return await _fetch_rest(session, part, url, newest, progress)
        except (aiohttp.ClientError, TimeoutError):
            failures = 0 if part.bytes > had else failures + 1
            if failures == ATTEMPTS_MAX:
                raise
        except RefusedByEdgeError as refusal:
            failures += 1
            if refusal.status not in _RETRIED or failures == ATTEMPTS_MAX:
                raise
        await asyncio.sleep(_RETRY_DELAY_S * 2**failures)


async def _fetch_rest(
    session: aiohttp.ClientSession, part: "_Part", url: str, newest: str, progress: Progress
) -> str:
    address = part.address
    request = newest if address is None else f"{address}&offset={part.bytes}"
    async with session.get(url + request) as response:
        if response.status != 200:
            raise await _refusal(response)
        entries = int(response.headers["Amply-Entries"])
        if address is None:
            address = response.headers["Content-Location"]
            part.begin(address)
        with part.path.open("ab") as file:
            async for data in response.content.iter_chunked(_CHUNK_BYTES):
                file.write(data)
                progress(entries, file.tell())
    return address


async def _get(session: aiohttp.ClientSession, address: str) -> dict[str, Any]:
    async with session.get(address) as response:
        if response.status != 200:
            raise await _refusal(response)
        content: dict[str, Any] = orjson.loads(await response.read())
        return content


async def _refusal(response: aiohttp.ClientResponse) -> RefusedByEdgeError:
    try:
        problem = orjson.loads(await response.read())
    except orjson.JSONDecodeError:  # Something between the edge and us answered.
        problem = {}
    return RefusedByEdgeError(response.status, problem)


class _Part:
    """What of a copy is here, and which copy it is of."""

    def __init__(self, file: Path, wanted: Wanted) -> None:
        self.path = file.with_name(file.name + ".part")
        self._name = file.with_name(file.name + ".part.json")
        self._wanted = asdict(wanted)
        self.address: str | None = None
        if self.path.exists() and self._name.exists():
            with suppress(orjson.JSONDecodeError):  # A name that was cut off names nothing.
                known = orjson.loads(self._name.read_bytes())
                if known["wanted"] == self._wanted:
                    self.address = known["address"]
        if self.address is None:
            self.forget()

    @property
    def bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def begin(self, address: str) -> None:
        """From here on the bytes are those of `address`."""
        self.address = address
        self.path.write_bytes(b"")
        self._name.write_bytes(orjson.dumps({"address": address, "wanted": self._wanted}))

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self._name.unlink(missing_ok=True)
