"""The dishonest operator: has the database, the files and the log's key, and uses the real signer.

What it may do is everything; what it cannot do is make the verifier believe it.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amply_verify import canonical
from amply_verify.tree import Frontier, leaf_hash
from ledger.export import first_line, line
from ledger.export_entry import StoredEntry
from ledger.membership import Members, Membership
from ledger.tiles import TileFolder
from tests.ledger.making import name
from tests.workers.ledger_stand import Stand, genesis, gift

PLATFORM, A, B = (name("org", letter) for letter in "PAB")
PAST, FUTURE = "2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"

#: Visibility and date of A's gifts, in order; the genesis before them has seq 0.
GIFTS = (
    ("public_full", None),
    ("public_full", None),
    ("public_aggregated", None),
    ("delayed_public", PAST),
    ("delayed_public", FUTURE),
    ("internal_only", None),
    ("public_full", None),
)

Values = list[dict[str, Any]]


class Operator:
    """Holds the honest log's bytes after `begin`, and can put any others in their place."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.honest: list[bytes] = []
        self.checkpoint = Path()
        self.key = ""

    async def begin(self) -> None:
        """Have the running writer and signer make an honest log, of which outsiders keep things."""
        messages = [genesis(PLATFORM), genesis(A), genesis(B)]
        for number, (visibility, day) in enumerate(GIFTS):
            options = {"visibility": visibility} | ({"public_after": day} if day else {})
            messages += [gift(A, f"a{number}", **options), gift(B, f"b{number}")]
        writer = await self.stand.start("bookkeeping")
        await self.stand.publish(messages)
        await self.stand.recorded(len(messages))
        await self.sign(len(messages))
        await self.stand.stop(writer)
        rows = await self.stand.database.fetch("SELECT bytes FROM ledger.entries ORDER BY index")
        self.honest = [row["bytes"] for row in rows]
        self.checkpoint = self.stand.scratch / "kept-checkpoint"
        self.checkpoint.write_text(self.stand.checkpoint())
        self.key = (self.stand.folder / "vkey").read_text().strip()

    async def sign(self, size: int) -> None:
        """Let the real process sign and publish what the database says."""
        signer = await self.stand.start("checkpoints")
        await self.stand.published(size)
        await self.stand.stop(signer)

    async def replace(self, entries: Sequence[bytes]) -> None:
        """Put another log in the place of the honest one: database, signatures, public files."""
        frontier = Frontier()
        frontier.extend(map(leaf_hash, entries))
        async with self.stand.database.connect() as connection:
            await connection.execute(
                "SET session_replication_role = replica;"  # No trigger speaks up.
                "ALTER TABLE ledger.entries DROP CONSTRAINT IF EXISTS entries_in_chain;"
                "ALTER TABLE ledger.entries DROP CONSTRAINT IF EXISTS entries_once;"
                "ALTER TABLE ledger.entries DROP CONSTRAINT IF EXISTS genesis_first;"
                "DELETE FROM ledger.publications; DELETE FROM ledger.checkpoints;"
                "DELETE FROM ledger.entries;"
            )
            await connection.executemany(
                "INSERT INTO ledger.entries (log, index, organization, seq, id, kind, bytes,"
                " leaf_hash, recorded_at) VALUES (0, $1, $2, $3, $4, $5, $6, $7, now())",
                [_row(index, data) for index, data in enumerate(entries)],
            )
            await connection.execute(
                "UPDATE ledger.writers SET size = $1, frontier = $2",
                *(len(entries), b"".join(frontier.hashes)),
            )
        shutil.rmtree(self.stand.folder)
        await self.sign(len(entries))

    async def wait_for_census(self) -> None:
        """Let the running writer find that the day after the first entry has come, and sign."""
        async with self.stand.database.connect() as connection:
            await connection.execute(
                "SET session_replication_role = replica;"
                "UPDATE ledger.entries SET recorded_at = recorded_at - interval '1 day'"
                " WHERE index = 0"
            )
        writer = await self.stand.start("bookkeeping")
        await self.stand.recorded(len(self.honest) + 1)
        await self.stand.stop(writer)
        await self.sign(len(self.honest) + 1)

    async def export(
        self, organization: str, count: int | None = None, *, with_census: bool = False
    ) -> Path:
        """An export with every opening there is, of all entries or of the first `count`."""
        rows = await self.stand.database.fetch(
            "SELECT index, id, bytes FROM ledger.entries WHERE organization = $1 ORDER BY index",
            organization,
        )
        rows = rows[:count]
        found = await self.stand.database.fetch(
            "SELECT entry_id, section, plain FROM ledger.openings WHERE plain IS NOT NULL"
        )
        openings: dict[str, dict[str, bytes]] = {}
        for entry, section, plain in found:
            openings.setdefault(entry, {})[section] = plain
        note = self.stand.checkpoint()
        proofs = TileFolder(self.stand.folder).tree(int(note.split("\n")[1]))
        census = await self._members(organization) if with_census else None
        head = rows[-1]["index"]
        lines = [first_line(organization, len(rows), head, note, proofs, census=census)]
        for index, identifier, data in rows:
            lines.append(line(StoredEntry(index, data), openings.get(identifier, {})))
        path = self.stand.scratch / f"{organization}.jsonl"
        path.write_bytes(b"".join(lines))
        return path

    async def _members(self, organization: str) -> Membership | None:
        fetch = self.stand.database.fetch
        census = await fetch("SELECT index, bytes FROM ledger.entries WHERE kind = 'census'")
        ((index, data),) = census
        heads = await fetch(
            "SELECT DISTINCT ON (organization) organization, seq, leaf_hash FROM ledger.entries"
            " WHERE index < $1 ORDER BY organization, seq DESC",
            index,
        )
        return Members(index, data, [tuple(row) for row in heads]).prove(organization)


def _row(index: int, data: bytes) -> tuple[Any, ...]:
    value = json.loads(data)
    return (index, value["org"], value["seq"], value["id"], value["kind"], data, leaf_hash(data))


def values_of(entries: Sequence[bytes]) -> Values:
    """Entries as objects that can be changed."""
    return [json.loads(data) for data in entries]


def spelled(values: Values) -> list[bytes]:
    """The objects as they are."""
    return [canonical.encode(value) for value in values]


def chained(values: Values) -> list[bytes]:
    """The objects with every organization's chain made anew: a careful forger's work."""
    heads: dict[str, tuple[int, str]] = {}
    entries = []
    for value in values:
        seq, prev = heads.get(value["org"], (-1, None))
        data = canonical.encode(value | {"seq": seq + 1, "prev": prev})
        heads[value["org"]] = (seq + 1, leaf_hash(data).hex())
        entries.append(data)
    return entries


def with_amount(value: dict[str, Any], amount_minor: int) -> dict[str, Any]:
    """A gift of another amount, still balanced."""
    first, second = value["money"]["postings"]
    lines = [first | {"amount": str(amount_minor)}, second | {"amount": str(-amount_minor)}]
    return value | {"money": {"postings": lines}}


def change_line(path: Path, number: int, change: Any) -> None:
    """Rewrite one line of an export (0 is line 1) by a function on its object."""
    lines = path.read_bytes().splitlines(keepends=True)
    value = change(json.loads(lines[number]))
    lines[number] = canonical.encode(value) + b"\n"
    path.write_bytes(b"".join(lines))
