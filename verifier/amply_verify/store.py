"""What must be known of every entry of a log to judge the next one, in an SQLite file.

Ids lead to their organization and index, seals to their index; memory stays bounded however long
the log is. An audit uses a temporary file, a monitor keeps its own and commits it as a whole.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from amply_verify.errors import UnreadableError

_CACHE_KIB = 48 * 1024
_SCHEMA = """
CREATE TABLE IF NOT EXISTS ids (id TEXT PRIMARY KEY, org INTEGER, place INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seals (seal BLOB PRIMARY KEY, place INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heads (org TEXT PRIMARY KEY, number INTEGER, seq INTEGER, leaf BLOB);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS notes (size INTEGER PRIMARY KEY, root BLOB, note TEXT);
"""


StoreError = sqlite3.Error
"""A file that is damaged, or a disk that is full."""


class Head(NamedTuple):
    """An organization's last entry; `number` stands for the organization in `ids`."""

    number: int
    seq: int
    leaf: bytes


class Store:
    """One file, or with no path a temporary one; everything since `commit` is one transaction."""

    def __init__(self, path: Path | None = None) -> None:
        self._database = sqlite3.connect("" if path is None else path, 1, isolation_level=None)
        try:
            self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            if path is None:
                self._database.execute("PRAGMA journal_mode = OFF")
            self._database.execute("BEGIN EXCLUSIVE")
            for statement in _SCHEMA.strip().split("\n"):
                self._database.execute(statement)
            self.commit()
        except sqlite3.Error as error:
            self._database.close()
            raise UnreadableError(f"{path} cannot be used as a state: {error}") from error

    def close(self) -> None:
        """Give the file back; what was not committed is as if it had never been."""
        self._database.close()

    def commit(self) -> None:
        """Keep everything so far, durably."""
        self._database.execute("COMMIT")
        self._database.execute("BEGIN EXCLUSIVE")

    def rollback(self) -> None:
        """Forget everything since the last commit."""
        self._database.execute("ROLLBACK")
        self._database.execute("BEGIN EXCLUSIVE")

    def add_ids(self, rows: Sequence[tuple[str, int, int]]) -> int | None:
        """Add (id, organization, index) rows; the lowest index whose id was known before."""
        return self._add("ids", "id", rows)

    def add_seals(self, rows: Sequence[tuple[bytes, int]]) -> int | None:
        """Add (seal, index) rows; the lowest index whose seal was known before."""
        return self._add("seals", "seal", sorted(rows))

    def place_of(self, entry_id: str) -> tuple[int, int] | None:
        """The organization's number and the index of the entry with this id."""
        row = self._database.execute("SELECT org, place FROM ids WHERE id = ?", (entry_id,))
        found: tuple[int, int] | None = row.fetchone()
        return found

    def count(self, number: int, below: int) -> int:
        """How many entries of an organization have an index below `below`."""
        statement = "SELECT count(*) FROM ids WHERE org = ? AND place < ?"
        return int(self._database.execute(statement, (number, below)).fetchone()[0])

    def counts(self) -> tuple[int, int]:
        """How many ids and seals there are."""
        statement = "SELECT (SELECT count(*) FROM ids), (SELECT count(*) FROM seals)"
        ids, seals = self._database.execute(statement).fetchone()
        return ids, seals

    def heads(self) -> dict[str, Head]:
        """The last entry of every organization."""
        rows = self._database.execute("SELECT org, number, seq, leaf FROM heads ORDER BY org")
        return {org: Head(number, seq, leaf) for org, number, seq, leaf in rows}

    def put_heads(self, heads: Iterable[tuple[str, Head]]) -> None:
        """Replace the last entries of organizations."""
        self._database.executemany(
            "INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?)",
            ((org, *head) for org, head in heads),
        )

    def facts(self) -> dict[str, str]:
        """Named texts."""
        return dict(self._database.execute("SELECT name, value FROM facts"))

    def put_facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Replace named texts."""
        self._database.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts)

    def note_of(self, size: int) -> tuple[bytes, str] | None:
        """The root and note that were seen at a size."""
        row = self._database.execute("SELECT root, note FROM notes WHERE size = ?", (size,))
        found: tuple[bytes, str] | None = row.fetchone()
        return found

    def put_note(self, size: int, root: bytes, note: str, kept_max: int) -> None:
        """Remember the note seen at a size, and the `kept_max` largest sizes only."""
        self._database.execute("INSERT OR IGNORE INTO notes VALUES (?, ?, ?)", (size, root, note))
        self._database.execute(
            "DELETE FROM notes WHERE size <= (SELECT size FROM notes ORDER BY size DESC"
            " LIMIT 1 OFFSET ?)",
            (kept_max,),
        )

    def _add(self, table: str, key: str, rows: Sequence[tuple[Any, ...]]) -> int | None:
        if not rows:
            return None
        marks = ", ".join("?" * len(rows[0]))
        # The names are those of the two methods above.
        insert = f"INSERT OR IGNORE INTO {table} VALUES ({marks})"  # noqa: S608 constants, see above
        added = self._database.executemany(insert, rows).rowcount
        if added == len(rows):
            return None
        find = f"SELECT place FROM {table} WHERE {key} = ?"  # noqa: S608 constants, see above
        places = ((row[-1], self._database.execute(find, row[:1]).fetchone()[0]) for row in rows)
        return min(int(own) for own, known in places if own != known)
