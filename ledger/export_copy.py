"""One copy of an export in one format, from its first byte to its manifest.

Rules: a copy is a function of what it is a copy of (`Subject`) and of the entries with their
openings, so that a second one has the same bytes; it says first how many entries follow; its
manifest says last how many bytes there were and their SHA-256. A format with comments ends in a
line that holds the manifest of everything above it; JSONL and CSV, which can hold no such line,
have theirs beside them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, Protocol, get_args

import orjson

from ledger import export, export_csv
from ledger.export_entry import Figures, StoredEntry, read
from ledger.export_journal import Beancount, Dialect, Hledger, Journal

FormatName = Literal["jsonl", "csv", "beancount", "hledger"]
FORMATS: Final[tuple[FormatName, ...]] = get_args(FormatName)

Entries = Sequence[tuple[StoredEntry, Mapping[str, bytes]]]
"""Entries in the order of `seq`, each with the openings that the reader may see."""


class Subject(NamedTuple):
    """What a copy is of: the first `entries` of an organization, as one checkpoint has them.

    `at` is the time up to which delayed entries are open; `first_line` is that of the JSONL.
    """

    organization: str
    size: int
    note: str
    entries: int
    at: str
    first_line: bytes


class Kind(NamedTuple):
    """How the files of a format are called on the web and on a disk."""

    media_type: str
    extension: str


KINDS: Final[dict[FormatName, Kind]] = {
    "jsonl": Kind("application/jsonl", "jsonl"),
    "csv": Kind("text/csv; charset=utf-8; header=present", "csv"),
    "beancount": Kind("text/plain; charset=utf-8", "beancount"),
    "hledger": Kind("text/plain; charset=utf-8", "journal"),
}


class _Writer(Protocol):
    needs_figures: bool
    has_last_line: bool
    figures: Figures | None

    @property
    def records(self) -> int: ...

    def begin(self) -> bytes: ...

    def head(self) -> bytes: ...

    def write(self, entries: Entries) -> bytes: ...

    def end(self) -> bytes: ...


class Copy:
    """Writes a copy. Call `begin`; `survey` with every entry if `needs_figures`; `head`; `write`
    with every entry; `end`. What they return, in this order, is the file.
    """

    def __init__(
        self,
        format_name: FormatName,
        subject: Subject,
        *,
        with_byte_order_mark: bool = False,
        kind: str | None = None,
    ) -> None:
        """The last two are for CSV: a mark for spreadsheets, rows of one kind of entry alone."""
        self._format = format_name
        self._subject = subject
        self._hash = hashlib.sha256()
        self._entries = 0
        self.bytes = 0
        self._writer: _Writer
        if format_name == "jsonl":
            self._writer = _Jsonl(subject)
        elif format_name == "csv":
            self._writer = _Csv(kind, with_byte_order_mark=with_byte_order_mark)
        else:
            dialect = Beancount() if format_name == "beancount" else Hledger()
            self._writer = _PlainText(format_name, subject, dialect)

    @property
    def needs_figures(self) -> bool:
        """Whether the head says what all entries add up to."""
        return self._writer.needs_figures

    def begin(self) -> bytes:
        """The first bytes, which tell how many entries follow where the format can say it."""
        return self._count(self._writer.begin())

    def survey(self, entries: Entries) -> None:
        """Look at entries before the head is written."""
        figures = self._writer.figures
        assert figures is not None
        for entry, openings in entries:
            figures.add(read(entry, openings))

    def head(self) -> bytes:
        """What stands above the first entry."""
        return self._count(self._writer.head())

    def write(self, entries: Entries) -> bytes:
        """The next entries."""
        self._entries += len(entries)
        return self._count(self._writer.write(entries))

    def end(self) -> bytes:
        """The last bytes; RuntimeError when the entries were not those announced."""
        if self._entries != self._subject.entries:
            raise RuntimeError(f"{self._entries} of {self._subject.entries} entries were written")
        data = self._count(self._writer.end())
        if self._writer.has_last_line:
            value = {
                "bytes": self.bytes,
                "entries": self._entries,
                "sha256": self._hash.hexdigest(),
                "size": self._subject.size,
            }
            data += self._count(b"; manifest of the lines above: " + orjson.dumps(value) + b"\n")
        return data

    def manifest(self) -> dict[str, Any]:
        """What the whole file is, once `end` was called."""
        subject, figures = self._subject, self._writer.figures
        return {
            "object": "export_manifest",
            "format": self._format,
            "organization": subject.organization,
            "origin": subject.note.partition("\n")[0],
            "size": subject.size,
            "checkpoint": subject.note,
            "at": subject.at,
            "entries": self._entries,
            "records": self._writer.records,
            "bytes": self.bytes,
            "sha256": self._hash.hexdigest(),
            "figures": None if figures is None else _spell_figures(figures),
        }

    def _count(self, data: bytes) -> bytes:
        self._hash.update(data)
        self.bytes += len(data)
        return data


class _Jsonl:
    needs_figures = has_last_line = False
    figures: Figures | None = None  # The verifier's to compute: reading them would slow the copy.

    def __init__(self, subject: Subject) -> None:
        self._first_line = subject.first_line
        self.records = 0

    def begin(self) -> bytes:
        return self._first_line

    def head(self) -> bytes:
        return b""

    def write(self, entries: Entries) -> bytes:
        self.records += len(entries)
        return b"".join([export.line(*entry) for entry in entries])

    def end(self) -> bytes:
        return b""


class _Csv:
    needs_figures = has_last_line = False

    def __init__(self, kind: str | None, *, with_byte_order_mark: bool) -> None:
        self._kind = kind
        self._with_byte_order_mark = with_byte_order_mark
        self.records = 0
        self.figures: Figures | None = Figures()

    def begin(self) -> bytes:
        return export_csv.head(with_byte_order_mark=self._with_byte_order_mark)

    def head(self) -> bytes:
        return b""

    def write(self, entries: Entries) -> bytes:
        assert self.figures is not None
        rows = []
        for stored, openings in entries:
            entry = read(stored, openings)
            if self._kind is None or entry.kind == self._kind:
                self.figures.add(entry)
                self.records += max(1, len(entry.postings))
                rows.append(export_csv.rows(entry))
        return "".join(rows).encode()

    def end(self) -> bytes:
        return b""


class _PlainText:
    needs_figures = has_last_line = True

    def __init__(self, format_name: str, subject: Subject, dialect: Dialect) -> None:
        self._format = format_name
        self._subject = subject
        self._figures = Figures()
        self.figures: Figures | None = self._figures
        self._journal = Journal(dialect, self._figures)

    @property
    def records(self) -> int:
        return self._figures.transactions

    def begin(self) -> bytes:
        subject = self._subject
        lines = [
            f"entries: {subject.entries}",
            f"format: {self._format}; the last line is the manifest: without it this copy is cut",
            f"organization: {subject.organization}",
            f"delayed entries are open as of {subject.at}",
            "checkpoint:",
            *subject.note.splitlines(),
        ]
        return "".join(f"; {line}".rstrip() + "\n" for line in lines).encode()

    def head(self) -> bytes:
        return self._journal.head()

    def write(self, entries: Entries) -> bytes:
        write = self._journal.entry
        return "".join([write(read(*entry)) for entry in entries]).encode()

    def end(self) -> bytes:
        return self._journal.tail()


def _spell_figures(figures: Figures) -> dict[str, Any]:
    return {
        "transactions": figures.transactions,
        "sealed": dict(sorted(figures.sealed.items())),
        "balances": [
            {**line._asdict(), "amount_minor": str(amount_minor)}
            for line, amount_minor in sorted(figures.balances_minor.items())
        ],
    }
