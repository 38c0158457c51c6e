"""The sandbox's durable state: one SQLite file, one writer, group commit.

Rules: a request does all its work inside one savepoint, without awaiting; whoever answers first
awaits `committed()`, so that nothing is told that a `kill -9` could take back. Many requests
share one commit. WAL with synchronous=NORMAL survives the death of the process; after a loss of
power the last moments may be missing, which is good enough for a sandbox.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

Body = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
    account TEXT NOT NULL, created INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_listed ON objects (account, kind, sequence);
CREATE TABLE IF NOT EXISTS tags (
    account TEXT, kind TEXT, name TEXT, value TEXT, sequence INTEGER,
    PRIMARY KEY (account, kind, name, value, sequence)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS movements (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, currency TEXT NOT NULL,
    available_on INTEGER NOT NULL, net INTEGER NOT NULL, payout TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS movements_summed ON movements (account, currency, available_on, net);
CREATE TABLE IF NOT EXISTS idempotency (
    account TEXT, key TEXT, route TEXT NOT NULL, fingerprint BLOB NOT NULL, status INTEGER NOT NULL,
    body BLOB NOT NULL, request_id TEXT NOT NULL, created INTEGER NOT NULL,
    PRIMARY KEY (account, key));
CREATE INDEX IF NOT EXISTS idempotency_aged ON idempotency (created);
CREATE TABLE IF NOT EXISTS deliveries (
    sequence INTEGER PRIMARY KEY, event TEXT NOT NULL, endpoint TEXT NOT NULL,
    attempts INTEGER NOT NULL, due REAL NOT NULL, state TEXT NOT NULL, status INTEGER);
CREATE INDEX IF NOT EXISTS deliveries_of_event ON deliveries (event);
CREATE INDEX IF NOT EXISTS deliveries_open ON deliveries (event) WHERE state <> 'delivered';
CREATE TABLE IF NOT EXISTS late_transactions (
    charge TEXT PRIMARY KEY, account TEXT NOT NULL, due REAL);
CREATE TABLE IF NOT EXISTS timers (
    sequence INTEGER PRIMARY KEY, due INTEGER NOT NULL, kind TEXT NOT NULL,
    account TEXT NOT NULL, object TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS timers_due ON timers (due, sequence);
CREATE INDEX IF NOT EXISTS timers_asked ON timers (account, kind, due);
CREATE INDEX IF NOT EXISTS timers_of_object ON timers (object);
CREATE TABLE IF NOT EXISTS account_links (
    token TEXT PRIMARY KEY, session TEXT UNIQUE, account TEXT NOT NULL, expires_at INTEGER NOT NULL,
    return_url TEXT NOT NULL, refresh_url TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
PAGE_BYTES = 16_384  # bodies of 1 to 3 kB waste a quarter of the file in smaller pages
WAL_PAGES_MAX = 1000


@dataclass(slots=True)
class _Row:
    sequence: int
    kind: str
    account: str
    created: int
    body: Body | str


def _text(body: Body | str) -> str:
    return body if isinstance(body, str) else orjson.dumps(body).decode()


class Store:
    """Objects by id, their tags for lists and searches, and the connection for the rest."""

    def __init__(self, file: Path, commit_delay_s: float) -> None:
        self.database = sqlite3.connect(
            file, isolation_level=None, cached_statements=256, check_same_thread=True
        )
        self.database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA synchronous = NORMAL")
        self.database.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES_MAX}")
        self.database.executescript(_SCHEMA)
        self._commit_delay_s = commit_delay_s
        self._sequence = self._last("objects")
        self._delivery = self._last("deliveries")
        self._new: dict[str, _Row] = {}
        self._changed: dict[str, Body] = {}
        self._tags: list[tuple[str, str, str, str, int]] = []
        self._deliveries: list[tuple[int, str, str, float]] = []
        self._ended: list[tuple[str, int | None, int]] = []
        self._commit_done: asyncio.Future[None] | None = None

    @contextmanager
    def unit(self) -> Iterator[sqlite3.Connection]:
        """One request's work: kept as a whole, or undone as a whole if it raises."""
        self._begin()
        self.database.execute("SAVEPOINT unit")
        try:
            yield self.database
            self._write()
        except BaseException:
            self.database.execute("ROLLBACK TO unit")
            raise
        finally:
            for waiting in (self._new, self._changed, self._tags, self._deliveries):
                waiting.clear()
            self.database.execute("RELEASE unit")

    def _write(self) -> None:
        """Write what the unit collected: each object once, however often it changed."""
        self.database.executemany(
            "INSERT INTO objects (sequence, id, kind, account, created, body) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            [
                (row.sequence, object_id, row.kind, row.account, row.created, _text(row.body))
                for object_id, row in self._new.items()
            ],
        )
        if self._changed:
            self.database.executemany(
                "UPDATE objects SET body = ? WHERE id = ?",
                [(_text(body), object_id) for object_id, body in self._changed.items()],
            )
        if self._tags:
            self.database.executemany(
                "INSERT OR IGNORE INTO tags VALUES (?, ?, ?, ?, ?)", self._tags
            )
        if self._deliveries:
            self.database.executemany(
                "INSERT INTO deliveries VALUES (?, ?, ?, 0, ?, 'pending', NULL)", self._deliveries
            )

    def _last(self, table: str) -> int:
        row = self.database.execute(f"SELECT COALESCE(MAX(sequence), 0) FROM {table}").fetchone()  # noqa: S608 - two fixed names
        return int(row[0])

    def _begin(self) -> None:
        if self._commit_done is None:
            self.database.execute("BEGIN IMMEDIATE")
            loop = asyncio.get_running_loop()
            self._commit_done = loop.create_future()
            loop.call_later(self._commit_delay_s, self._commit)

    async def committed(self) -> None:
        """Return when everything seen or written so far survives the process."""
        if self._commit_done is not None:
            await asyncio.shield(self._commit_done)

    def _commit(self) -> None:
        done, self._commit_done = self._commit_done, None
        if done is None:
            return
        try:
            self.database.executemany(
                "UPDATE deliveries SET state = ?, status = ?, attempts = attempts + 1 "
                "WHERE sequence = ?",
                self._ended,
            )
            self._ended.clear()
            self.database.execute("COMMIT")
        except sqlite3.Error as error:
            self.database.execute("ROLLBACK")
            done.set_exception(error)
            done.exception()  # deliveries have no waiter; requests still get it by awaiting
        else:
            done.set_result(None)

    def close(self) -> None:
        """Commit what is open and close the file."""
        self._commit()
        self.database.close()

    def insert(
        self,
        account: str,
        body: Body,
        tags: dict[str, str] | None = None,
        *,
        text: str | None = None,
    ) -> None:
        """Add an object; `object` and `created` tell kind and age; `text` is a body already fixed.

        Inside a unit `get`, `find` and `update` know it at once; SQL sees it after the unit.
        """
        self._sequence += 1
        kind = body["object"]
        self._new[body["id"]] = _Row(self._sequence, kind, account, body["created"], text or body)
        for name, value in (tags or {}).items():
            self._tags.append((account, kind, name, value, self._sequence))

    def update(self, body: Body) -> None:
        """Replace the body of an object that exists."""
        row = self._new.get(body["id"])
        if row is not None:
            row.body = body
        else:
            self._changed[body["id"]] = body

    def insert_delivery(self, event: str, endpoint: str, due: float) -> int:
        """Queue an event to an endpoint and return the delivery's sequence."""
        self._delivery += 1
        self._deliveries.append((self._delivery, event, endpoint, due))
        return self._delivery

    def end_delivery(self, sequence: int, state: str, status: int | None) -> None:
        """Note how a delivery ended; written by the next commit, for nobody waits for it."""
        self._begin()
        self._ended.append((state, status, sequence))

    def add_tag(self, object_id: str, name: str, value: str) -> None:
        """Let lists find an existing object by one more name and value."""
        row = self._new.get(object_id)
        if row is not None:
            self._tags.append((row.account, row.kind, name, value, row.sequence))
            return
        self.database.execute(
            "INSERT OR IGNORE INTO tags SELECT account, kind, ?, ?, sequence FROM objects "
            "WHERE id = ?",
            (name, value, object_id),
        )

    def get(self, account: str, kind: str, object_id: str) -> Body | None:
        """Return an object of this kind in this account, or None."""
        found = self.find(object_id)
        if found is None or found[0] != account or found[1]["object"] != kind:
            return None
        return found[1]

    def find(self, object_id: str) -> tuple[str, Body] | None:
        """Return (account, body) of an object of any kind and account, or None."""
        new = self._new.get(object_id)
        if new is not None and isinstance(new.body, dict):
            return new.account, new.body
        row = self.database.execute(
            "SELECT account, body FROM objects WHERE id = ?", (object_id,)
        ).fetchone()
        if row is None:
            return None
        return row[0], self._changed.get(object_id) or orjson.loads(row[1])

    def delete(self, object_id: str) -> None:
        """Remove an object of a kind that has no tags."""
        self.database.execute("DELETE FROM objects WHERE id = ?", (object_id,))

    def setting(self, name: str) -> str | None:
        """Return a durable setting."""
        row = self.database.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_setting(self, name: str, value: str) -> None:
        """Store a durable setting."""
        self.database.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))
