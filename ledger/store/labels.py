"""The newest label of each entry whose visibility was changed, kept with the change itself."""

from collections.abc import Iterable, Mapping
from typing import Final

from asyncpg import Record

from ledger.entry import Request
from ledger.store.connection import AnyConnection
from ledger.visibility import Label, label_of

FIND: Final = """
    SELECT e.id, e.bytes, c.visibility, c.public_after
    FROM ledger.entries e LEFT JOIN ledger.visibility_changes c
        ON c.entry_id = e.id AND c.organization = e.organization
    WHERE e.id = ANY($1::text[])
"""
KEEP: Final = """
    INSERT INTO ledger.visibility_changes
        (entry_id, organization, visibility, public_after, changed_by)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
    ON CONFLICT (entry_id, organization) DO UPDATE SET visibility = excluded.visibility,
        public_after = excluded.public_after, changed_by = excluded.changed_by
"""

#: What the entries say, beside what is kept, where the two differ.
DIFFERENCES: Final = """
    WITH derived AS (
        SELECT DISTINCT ON (fields->>'ref') fields->>'ref' AS entry_id, organization,
            fields->'details'->>'to' AS visibility,
            fields->'details'->>'public_after' AS public_after, id AS changed_by
        FROM (SELECT organization, seq, id, convert_from(bytes, 'UTF8')::jsonb AS fields
              FROM ledger.entries WHERE kind = 'visibility_change') AS change
        ORDER BY fields->>'ref', seq DESC)
    SELECT entry_id, organization, derived.visibility AS said, kept.visibility AS kept
    FROM derived FULL JOIN ledger.visibility_changes AS kept USING (entry_id, organization)
    WHERE (derived.visibility, derived.public_after, derived.changed_by)
        IS DISTINCT FROM (kept.visibility, kept.public_after, kept.changed_by)
    ORDER BY entry_id LIMIT $1
"""


async def find(connection: AnyConnection, requests: Iterable[Request]) -> dict[str, Label]:
    """The newest labels of recorded entries whose visibility a request changes."""
    refs = [one.ref for one in requests if one.kind == "visibility_change" and one.ref is not None]
    rows = await connection.fetch(FIND, refs) if refs else []
    return {
        row["id"]: Label(row["visibility"], row["public_after"])
        if row["visibility"] is not None
        else label_of(row["bytes"])
        for row in rows
    }


async def keep(connection: AnyConnection, labels: Mapping[str, tuple[Request, Label]]) -> None:
    """Keep what changes of a batch come to: entry -> the newest change and the label it gave."""
    if labels:
        await connection.execute(
            KEEP,
            list(labels),
            [change.organization for change, _ in labels.values()],
            [label.visibility for _, label in labels.values()],
            [label.public_after for _, label in labels.values()],
            [change.id for change, _ in labels.values()],
        )


async def differences(connection: AnyConnection, rows_max: int) -> list[Record]:
    """Entries whose kept label is not what their newest change says; for a check of the whole.

    Rows of `entry_id, organization, said, kept`, the last two null where there is none.
    """
    return await connection.fetch(DIFFERENCES, rows_max)
