"""The whole ledger, recomputed and compared, in one snapshot while appends go on.

Rules: read only, in chunks; every difference is named; what is published was read before the
snapshot, so the snapshot holds all of it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date
from typing import Any, Final

from amply_verify.entry import Entry
from amply_verify.errors import InvalidError
from amply_verify.note import Checkpoint, open_checkpoint, parse_verifier_key
from amply_verify.source import ReadFile
from amply_verify.tree import HASH_BYTES, Frontier
from ledger import statement
from ledger.check import FilesCheck, Recomputation
from ledger.entry import parse_time
from ledger.findings import KEPT_MAX, Findings
from ledger.projection import StoredEntry
from ledger.statement import Figure
from ledger.store import comparing, labels
from ledger.store.connection import AnyConnection
from ledger.store.pen import NoSuchLogError
from ledger.store.projections import ENTRIES

CHUNK_ENTRIES: Final = 1_000

WRITER: Final = "SELECT size, frontier, last_time FROM ledger.writers WHERE log = $1"
PROJECTED: Final = "SELECT index FROM ledger.projected WHERE log = $1"
BEYOND: Final = "SELECT min(index) FROM ledger.entries WHERE log = $1 AND index >= $2"
OPENINGS: Final = """
    SELECT entry_id, section, plain FROM ledger.openings
    WHERE entry_id = ANY($1::text[]) AND organization = ANY($2::text[])
"""
OPENINGS_NUMBER: Final = "SELECT count(*) FROM ledger.openings"
OWNERS: Final = "SELECT id, organization, index FROM ledger.entries WHERE id = ANY($1::text[])"
CHECKPOINTS: Final = """
    SELECT size, root FROM ledger.checkpoints WHERE log = $1 AND size > $2 AND size <= $3
    ORDER BY size
"""
PUBLISHED_SIZE: Final = "SELECT max(size) FROM ledger.publications WHERE log = $1"
SIGNED: Final = "SELECT root FROM ledger.checkpoints WHERE log = $1 AND size = $2"
FIGURES: Final = """
    SELECT fund, currency, visibility, entries, gifts, income::text, expenses::text
    FROM ledger.monthly_figures WHERE organization = $1 AND month = $2
        AND fund IN (SELECT fund FROM ledger.balances WHERE organization = $1)
"""


@dataclass(slots=True)
class Report:
    """What was compared, and every difference. `published_size` is None when nothing is public."""

    log: int
    findings: Findings = field(default_factory=Findings)
    entries: int = 0
    organizations: int = 0
    published_size: int | None = None
    seconds: float = 0.0

    @property
    def agrees(self) -> bool:
        """Whether everything is as it was recorded."""
        return self.findings.total == 0


def read_published(read: ReadFile, findings: Findings) -> Checkpoint | None:
    """The newest published checkpoint, if its signature is that of the published key."""
    note, key = read("checkpoint"), read("vkey")
    if note is None:
        return None
    try:
        if key is None:
            raise InvalidError("there is no vkey beside it")
        return open_checkpoint(note.decode(), parse_verifier_key(key.decode().split()[0]))[0]
    except (InvalidError, UnicodeDecodeError, IndexError) as error:
        findings.add("published", f"the published checkpoint is not right: {error}")
        return None


async def check(
    connection: AnyConnection,
    log: int,
    origin: str,
    read: ReadFile | None,
    progress: Callable[[int, int], None] = lambda done, size: None,
) -> Report:
    """Recompute a log and everything derived from it; `read` reads its public files.

    `progress` is told how many entries of how many are done.
    """
    started = time.monotonic()
    report = Report(log)
    published = None
    if read is not None:
        published = await asyncio.to_thread(read_published, read, report.findings)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        files = None
        if read is not None and published is not None:
            files = FilesCheck(read, published, report.findings)
        one = _Check(connection, log, origin, report, files)
        await one.run(progress)
        if read is not None:
            await one.compare_published(published)
    report.seconds = time.monotonic() - started
    return report


class _Check:
    def __init__(
        self,
        connection: AnyConnection,
        log: int,
        origin: str,
        report: Report,
        files: FilesCheck | None,
    ) -> None:
        self._connection = connection
        self._number = log
        self._origin = origin
        self._report = report
        self._findings = report.findings
        self._files = files

    async def run(self, progress: Callable[[int, int], None]) -> None:
        """Stream all entries, then compare what they come to with what is stored."""
        writer = await self._connection.fetchrow(WRITER, self._number)
        if writer is None:
            raise NoSuchLogError(f"log {self._number} does not exist in this database")
        projected: int = await self._connection.fetchval(PROJECTED, self._number)
        size: int = writer["size"]
        log = Recomputation(self._number, self._origin, projected, self._findings)
        sums = comparing.SumsComparison(self._connection, self._findings)
        for start in range(0, size, CHUNK_ENTRIES):
            await self._chunk(log, start, min(size, start + CHUNK_ENTRIES))
            await sums.compare(log.sums, self._day_of(log))
            progress(min(size, start + CHUNK_ENTRIES), size)
        await sums.compare(log.sums, None)
        self._compare_writer(log, writer)
        beyond = await self._connection.fetchval(BEYOND, self._number, size)
        if beyond is not None:
            self._findings.add(
                "size", f"an entry at index {beyond} lies past the log's end", beyond
            )
        if await self._connection.fetchval(OPENINGS_NUMBER) != log.openings:
            self._findings.add("opening", "there are openings that belong to no entry")
        if projected > size:
            self._findings.add("projected", f"sums of {projected} entries, the log has {size}")
        await comparing.compare_books(self._connection, self._number, log, self._findings)
        for row in await labels.differences(self._connection, KEPT_MAX):
            message = (
                f"{row['entry_id']}: {row['kept']} is kept, its last change says {row['said']}"
            )
            self._findings.add("label", message, organization=row["organization"])
        self._report.entries, self._report.organizations = size, len(log.chains)

    def _day_of(self, log: Recomputation) -> date | None:
        return parse_time(log.time).astimezone(UTC).date() if log.time else None

    async def _chunk(self, log: Recomputation, start: int, end: int) -> None:
        rows = await self._connection.fetch(ENTRIES, self._number, start, end)
        entries = [StoredEntry(*row) for row in rows]
        openings = await self._openings(entries)
        checkpoints = await self._connection.fetch(CHECKPOINTS, self._number, start, end)
        roots = {row["size"]: row["root"] for row in checkpoints}
        parsed: list[tuple[StoredEntry, Entry]] = []
        for expected, entry in enumerate(entries, start):
            if entry.at != expected:
                self._findings.add("gap", f"the entry at index {expected} is missing", expected)
                break
            judged = log.take(entry, openings.get(entry.id, {}))
            if judged is not None:
                parsed.append((entry, judged))
            root = roots.get(entry.at + 1)
            if root is not None and root != log.frontier.root():
                message = (
                    f"the first {entry.at + 1} entries do not lead to the root that was signed"
                )
                self._findings.add("checkpoint", message)
        else:
            if len(entries) < end - start:
                missing = start + len(entries)
                self._findings.add("gap", f"the entry at index {missing} is missing", missing)
        if self._files is not None:
            await asyncio.to_thread(self._files.take, [entry.data for entry in entries])
        await self._check_references(parsed)
        await self._check_statements(parsed)

    async def _openings(self, entries: list[StoredEntry]) -> Mapping[str, dict[str, bytes | None]]:
        ids = [entry.id for entry in entries]
        organizations = list({entry.organization for entry in entries})
        found: dict[str, dict[str, bytes | None]] = {}
        rows = await self._connection.fetch(OPENINGS, ids, organizations)
        for entry_id, section, plain in rows:
            found.setdefault(entry_id, {})[section] = plain
        return found

    async def _check_references(self, parsed: list[tuple[StoredEntry, Entry]]) -> None:
        wanted = [one.ref for _, one in parsed if one.ref is not None]
        rows = await self._connection.fetch(OWNERS, wanted) if wanted else []
        owners: dict[str, tuple[str, int]] = {row["id"]: (row[1], row[2]) for row in rows}
        for entry, one in parsed:
            if one.ref is None:
                continue
            owner, at = owners.get(one.ref, ("", entry.at))
            if owner != one.org or at >= entry.at:
                message = f"the entry at index {entry.at} refers to no earlier one of its own"
                self._findings.add("reference", message, entry.at, one.org)

    async def _check_statements(self, parsed: list[tuple[StoredEntry, Entry]]) -> None:
        """Against the figures, which are compared with the entries themselves."""
        for entry, one in parsed:
            if one.kind != "statement":
                continue
            details = one.shown["details"]
            month = date.fromisoformat(details["period"] + "-01")
            rows = await self._connection.fetch(FIGURES, one.org, month)
            figures = [Figure(*row[:5], *map(int, row[5:])) for row in rows]
            if statement.totals(figures) != details["totals"]:
                message = f"the statement of {details['period']} does not add up"
                self._findings.add("statement", message, entry.at, one.org)

    def _compare_writer(self, log: Recomputation, writer: Any) -> None:
        stored: bytes = writer["frontier"]
        hashes = [stored[i : i + HASH_BYTES] for i in range(0, len(stored), HASH_BYTES)]
        if Frontier(writer["size"], hashes).root() != log.frontier.root():
            self._findings.add("tree", "the stored tree is not that of the stored entries")
        if log.time and writer["last_time"] != parse_time(log.time):
            self._findings.add("time", "the writer's last time is not that of the last entry")

    async def compare_published(self, published: Checkpoint | None) -> None:
        """The newest published checkpoint against what was signed and recorded."""
        size = self._report.entries
        known: int = await self._connection.fetchval(PUBLISHED_SIZE, self._number) or 0
        if published is None:
            if known:
                self._findings.add("published", f"size {known} was published, no file shows it")
            return
        self._report.published_size = published.size
        if published.size > size:
            message = f"{published.size} entries are published, the database holds {size}"
            self._findings.add("published", message)
        elif published.size < known:
            message = f"size {known} was published, the files show {published.size}"
            self._findings.add("published", message)
        elif (
            await self._connection.fetchval(SIGNED, self._number, published.size) != published.root
        ):
            message = f"the checkpoint published for size {published.size} is not the one signed"
            self._findings.add("published", message)
