"""Audit chains as whoever anchors them reads them: all of them, in the role that signs the log."""

from datetime import UTC, datetime
from typing import Final, NamedTuple

from ledger.audit import Chain, Head
from ledger.audit_anchor import Anchor, start_of
from ledger.store.connection import AnyConnection

CHAINS: Final = """
    SELECT organization, seq, head, dropped_seq, dropped_head FROM audit.chains
    ORDER BY organization
"""
RECORDS: Final = """
    SELECT bytes FROM audit.records
    WHERE organization = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4
"""
_PAGE: Final = 1000


class Ends(NamedTuple):
    """Where a chain goes on after dropped months, and where it ends."""

    dropped: Head
    head: Head


async def chains(connection: AnyConnection) -> dict[str, Ends]:
    """All chains, by name."""
    return {
        row["organization"]: Ends(
            Head(row["dropped_seq"], row["dropped_head"]), Head(row["seq"], row["head"])
        )
        for row in await connection.fetch(CHAINS)
    }


async def follow(connection: AnyConnection, name: str, ends: Ends, anchor: Anchor | None) -> None:
    """Hash again what was chained since the anchor; AuditError unless it leads to the head."""
    chain = Chain(name, start_of(anchor, ends.dropped, datetime.now(UTC)))
    count = _PAGE
    while count == _PAGE:
        rows = await connection.fetch(RECORDS, name, chain.head.seq, ends.head.seq, _PAGE)
        for row in rows:
            chain.take(bytes(row["bytes"]))
        count = len(rows)
    chain.end(ends.head)
