"""Transactions in PostgreSQL, beside the sums that are built behind the writer.

Rules: they are added in the transaction that moves the sums' cursor, so that both reach as far.
"""

from collections.abc import Sequence
from typing import Final

from amply_verify.money import Line
from ledger.projection import StoredEntry
from ledger.store.connection import AnyConnection
from ledger.transactions import Transaction, transactions_of

DETAILS: Final = """
    SELECT entry_id, plain FROM ledger.openings
    WHERE entry_id = ANY($1::text[]) AND organization = ANY($2::text[]) AND section = 'details'
"""
Posted = tuple[StoredEntry, str, list[tuple[Line, int]]]
"""An entry, its visibility and its postings."""

ADD: Final = """
    INSERT INTO {schema}.transactions (entry_id, fund, type, organization, id, index, kind,
        currency, amount, recorded_at, occurred, ref, campaign, project, booking)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[],
        $7::text[], $8::text[], $9::numeric[], $10::timestamptz[], $11::text[], $12::text[],
        $13::text[], $14::text[], $15::text[])
"""


async def read(connection: AnyConnection, posted: Sequence[Posted]) -> list[Transaction]:
    """The transactions of entries, with what their details say."""
    sealed = [entry for entry, _, _ in posted if b'"details":{"sealed":' in entry.data]
    openings: dict[str, bytes] = {}
    if sealed:
        ids = [entry.id for entry in sealed]
        organizations = list({entry.organization for entry in sealed})
        openings = dict(await connection.fetch(DETAILS, ids, organizations))
    return [
        one
        for entry, _, postings in posted
        for one in transactions_of(entry, postings, openings.get(entry.id))
    ]


async def add(
    connection: AnyConnection, transactions: Sequence[Transaction], schema: str = "ledger"
) -> None:
    """Add transactions of entries that have none yet, to the ledger's or to a side table."""
    if transactions:
        columns = [list(column) for column in zip(*transactions, strict=True)]
        await connection.execute(ADD.format(schema=schema), *columns)
