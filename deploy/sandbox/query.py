"""Finds one page of objects without sorting or reading more of them than it must.

Rules: sequences are found first, in the order of one index (undelivered events, else the first
tag, else all of a kind), and only the page's bodies are read.
"""

from typing import Any

import orjson

from deploy.sandbox.calls import Call
from deploy.sandbox.errors import no_such
from deploy.sandbox.store import Body

_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_TAGGED = (
    "EXISTS (SELECT 1 FROM tags x WHERE x.account = o.account AND x.kind = o.kind "
    "AND x.name = ? AND x.value IN ({marks}) AND x.sequence = o.sequence)"
)
_UNDELIVERED = "d.state <> 'delivered' AND d.state <> 'canceled'"
_DELIVERED = (
    "NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event = o.id "
    "AND d.state <> 'delivered' AND d.state <> 'canceled')"
)


class Query:
    """A search among the objects of one kind in the call's account, put together from filters."""

    def __init__(self, call: Call, kind: str) -> None:
        self._call = call
        self._kind = kind
        self._tags: list[tuple[str, tuple[str, ...]]] = []
        self._where: list[str] = []
        self._values: list[Any] = []
        self._undelivered = False

    def tag(self, name: str, *values: str) -> None:
        """Keep objects tagged with any of these values."""
        self._tags.append((name, values))

    def field(self, name: str, value: str) -> None:
        """Keep objects whose top-level field has this value."""
        self._add("json_extract(o.body, ?) = ?", f"$.{name}", value)

    def range(self, name: str, bounds: dict[str, int]) -> None:
        """Keep objects whose moment lies within the bounds."""
        column = "o.created" if name == "created" else f"json_extract(o.body, '$.{name}')"
        for comparison, seconds in bounds.items():
            self._add(f"{column} {_COMPARISONS[comparison]} ?", seconds)

    def delivered(self, wanted: bool) -> None:
        """Keep events that all endpoints have received, or those that some have not."""
        if wanted:
            self._add(_DELIVERED)
        self._undelivered = not wanted

    def position(self, comparison: str, object_id: str, param: str) -> None:
        """Keep objects before or after one of them; raises StripeError (400) if it is unknown."""
        row = self._call.store.database.execute(
            "SELECT sequence FROM objects WHERE id = ? AND account = ? AND kind = ?",
            (object_id, self._call.account, self._kind),
        ).fetchone()
        if row is None:
            raise no_such(self._kind, object_id, param, status=400)
        self._add(f"{{place}} {comparison} ?", row[0])

    def after_sequence(self, sequence: int) -> None:
        """Keep objects older than a search page's end."""
        self._add("{place} < ?", sequence)

    def fetch(self, limit: int, *, oldest_first: bool = False) -> list[tuple[int, Body]]:
        """Return up to `limit` rows of (sequence, body)."""
        order = "ASC" if oldest_first else "DESC"
        parts, values = self._selects()
        database = self._call.store.database
        sequences = database.execute(
            f"{' UNION ALL '.join(parts)} ORDER BY 1 {order} LIMIT ?", [*values, limit]
        ).fetchall()
        found = []
        for (sequence,) in sequences:
            row = database.execute("SELECT body FROM objects WHERE sequence = ?", (sequence,))
            found.append((sequence, orjson.loads(row.fetchone()[0])))
        return found

    def _selects(self) -> tuple[list[str], list[Any]]:
        """Return one SELECT of sequences per value of the first tag, each in index order."""
        place, tags = "o.sequence", self._tags
        sources: list[tuple[str, str, list[str]]]
        if self._undelivered:
            sources = [("deliveries d CROSS JOIN objects o ON o.id = d.event", _UNDELIVERED, [])]
        elif tags:
            place = "t.sequence"
            (name, wanted), tags = tags[0], tags[1:]
            condition = "t.account = ? AND t.kind = ? AND t.name = ? AND t.value = ?"
            source = "tags t CROSS JOIN objects o ON o.sequence = t.sequence"
            sources = [
                (source, condition, [self._call.account, self._kind, name, value])
                for value in dict.fromkeys(wanted)
            ]
        else:
            sources = [("objects o", "1", [])]
        where = ["o.account = ?", "o.kind = ?", *self._where]
        shared: list[Any] = [self._call.account, self._kind, *self._values]
        for name, wanted in tags:
            where.append(_TAGGED.format(marks=", ".join("?" * len(wanted))))
            shared += [name, *wanted]
        conditions = " AND ".join(where).replace("{place}", place)
        # Two endpoints may miss the same event; elsewhere a row comes once anyway.
        distinct = "DISTINCT " if self._undelivered else ""
        parts, values = [], []
        for source, condition, own in sources:
            where_all = f"{condition} AND {conditions}"
            parts.append(f"SELECT {distinct}{place} FROM {source} WHERE {where_all}")  # noqa: S608 - values are bound
            values += [*own, *shared]
        return parts, values

    def _add(self, condition: str, *values: Any) -> None:
        self._where.append(condition)
        self._values.extend(values)
