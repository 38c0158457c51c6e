"""Copies of an organization's ledger, pinned to one checkpoint while appends go on.

A copy is made of stored entries, which never change, and of the openings that its reader may see at
one time, `at`. So `size` and `at` pin every byte of it: who lost the connection asks for the same
copy from a byte on, and the copy is made again and its beginning left out. That costs the work of
the beginning and no traffic, holds for every format, and lets the manifest cover the whole.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from edge.census.service import Censuses
from edge.clock import BusinessClock
from edge.database.pool import Database
from edge.directory.records import Organization
from edge.errors import ProblemError
from edge.exports import store
from edge.ledger.openings import openings_shown
from edge.published_log import PublishedLog, size_of
from ledger import export
from ledger.export_copy import Copy, Entries, FormatName, Subject
from ledger.export_entry import StoredEntry
from ledger.visibility import Reader, Role

PAGE_ENTRIES_MAX: Final = 1000
PAGE_BYTES_MAX: Final = 512 * 1024
#: One page is read while another one is written.
PAGES_AT_ONCE: Final = 2
MANIFESTS_MAX: Final = 256
T = TypeVar("T")

_RETRY_AFTER: Final = {"Retry-After": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a reader asks for; `size` and `at` are None for the newest."""

    format: FormatName
    since: int | None = None
    size: int | None = None
    at: str | None = None
    with_byte_order_mark: bool = False
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Pinned:
    """A copy that is the same whenever it is made."""

    organization: Organization
    is_member: bool
    asked: Asked
    subject: Subject

    def reader(self) -> Reader:
        """For whom the copy is, at its time."""
        return Reader(Role.AUDITOR if self.is_member else Role.PUBLIC, self.subject.at)

    def query(self) -> str:
        """The query that asks for exactly this copy."""
        asked = self.asked
        named = {
            "format": asked.format,
            "size": self.subject.size,
            "at": self.subject.at,
            "since": asked.since,
            "kind": asked.kind,
            "bom": "true" if asked.with_byte_order_mark else None,
        }
        return urlencode({name: value for name, value in named.items() if value is not None})


class Exports:
    """Makes copies and remembers the manifests of those that it made to their end."""

    def __init__(
        self,
        database: Database,
        log: PublishedLog,
        censuses: Censuses,
        clock: BusinessClock,
    ) -> None:
        self._database = database
        self._log = log
        self._censuses = censuses
        self._clock = clock
        self._turns = asyncio.Semaphore(PAGES_AT_ONCE)
        self._manifests: OrderedDict[tuple[str, bool, str], dict[str, Any]] = OrderedDict()

    async def pin(self, organization: Organization, asked: Asked, *, is_member: bool) -> Pinned:
        """The copy asked for; ProblemError 409 while there is nothing to copy, 422 for no size."""
        note = self._log.note()
        if note is None:
            raise ProblemError("not_yet_covered", headers=_RETRY_AFTER)
        size = size_of(note) if asked.size is None else asked.size
        async with self._database.transaction([organization.id]) as connection:
            now = await self._clock.now(connection)
            if size != size_of(note):
                note = await store.note(connection, organization.log, size)
            last = await store.last_entry(connection, organization.id, size)
        if asked.at is not None and asked.at > now:
            raise ProblemError("query_not_accepted", "`at` is a time that was.", param="at")
        if note is None:
            raise ProblemError(
                "query_not_accepted", "`size` is that of a published checkpoint.", param="size"
            )
        if last is None:
            raise ProblemError("not_yet_covered", headers=_RETRY_AFTER)
        entries = last["seq"] + 1
        first_line = b""
        if asked.format == "jsonl":
            census = await self._censuses.membership(organization.id, size)
            proofs = self._log.proofs(size)
            first_line = export.first_line(
                organization.id, entries, last["index"], note, proofs, asked.since, census
            )
        subject = Subject(organization.id, size, note, entries, asked.at or now, first_line)
        return Pinned(organization, is_member, asked, subject)

    async def stream(self, pinned: Pinned, offset: int = 0) -> AsyncGenerator[bytes, None]:
        """The copy's bytes from `offset` on; ProblemError 422 when it has fewer."""
        copy = self._copy(pinned)
        async for data in self._chunks(pinned, copy):
            if copy.bytes > offset and data:
                start = copy.bytes - len(data)
                yield data[max(0, offset - start) :]
        if offset > copy.bytes:
            raise ProblemError(
                "query_not_accepted", f"The copy has {copy.bytes} bytes.", param="offset"
            )

    async def manifest(self, pinned: Pinned) -> dict[str, Any]:
        """What a copy is, remembered or made again."""
        known = self._manifests.get(self._name(pinned))
        if known is not None:
            return known
        copy = self._copy(pinned)
        async for _ in self._chunks(pinned, copy):
            pass
        return copy.manifest()

    async def _chunks(self, pinned: Pinned, copy: Copy) -> AsyncIterator[bytes]:
        yield copy.begin()
        if copy.needs_figures:
            async for _ in self._walk(pinned, copy.survey):
                pass
        yield copy.head()
        async for data in self._walk(pinned, copy.write):
            yield data
        yield copy.end()
        self._manifests[self._name(pinned)] = copy.manifest()
        if len(self._manifests) > MANIFESTS_MAX:
            self._manifests.popitem(last=False)

    async def _walk(self, pinned: Pinned, work: Callable[[Entries], T]) -> AsyncIterator[T]:
        """What `work` makes of every page of entries.

        Few pages are in work at a time, however many readers there are: so other requests wait for
        few pages at most, and memory is that of a few.
        """
        seq = 0
        while seq < pinned.subject.entries:
            async with self._turns:
                entries = await self._page(pinned, seq)
                done = work(entries)
            seq += len(entries)
            yield done

    async def _page(self, pinned: Pinned, seq: int) -> Entries:
        """Entries from `seq` on with their openings.

        Entries never change, so each page is a transaction of its own: a slow reader holds no
        connection and no snapshot.
        """
        organization, end = pinned.subject.organization, pinned.subject.entries
        async with self._database.transaction([organization]) as connection:
            rows = await store.page(
                connection, organization, seq, end, PAGE_ENTRIES_MAX, PAGE_BYTES_MAX
            )
            openings = await openings_shown(connection, organization, rows, pinned.reader())
        if not rows or rows[0]["seq"] != seq:
            raise RuntimeError(f"entry {seq} of {organization} is missing")
        none: dict[str, bytes] = {}
        return [
            (
                StoredEntry(row["index"], row["bytes"], row["leaf_hash"]),
                openings.get(row["id"], none),
            )
            for row in rows
        ]

    def _copy(self, pinned: Pinned) -> Copy:
        asked = pinned.asked
        return Copy(
            asked.format,
            pinned.subject,
            with_byte_order_mark=asked.with_byte_order_mark,
            kind=asked.kind,
        )

    def _name(self, pinned: Pinned) -> tuple[str, bool, str]:
        return pinned.organization.id, pinned.is_member, pinned.query()
