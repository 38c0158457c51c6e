"""An organization's audit records as its owners look for them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from topics.outbox import AnyConnection

LIST: Final = """
    SELECT r.seq, r.recorded_at, r.bytes, r.hash, o.client
    FROM read.audit_records AS r LEFT JOIN read.audit_openings AS o USING (organization, seq)
    WHERE r.organization = $1 AND ($2::bigint IS NULL OR r.seq < $2)
        AND ($3::text IS NULL OR r.actor = $3) AND ($4::text IS NULL OR r.action = $4)
        AND ($5::text IS NULL OR r.resource = $5)
        AND ($6::timestamptz IS NULL OR r.recorded_at >= $6)
        AND ($7::timestamptz IS NULL OR r.recorded_at < $7)
    ORDER BY r.seq DESC LIMIT $8
"""


async def records(
    connection: AnyConnection,
    organization: str,
    before: int | None,
    filters: Mapping[str, str],
    times: tuple[datetime | None, datetime | None],
    most: int,
) -> list[dict[str, Any]]:
    """Records newest first, those before a position; `times` are included and excluded."""
    rows = await connection.fetch(
        LIST,
        *(organization, before),
        *(filters.get(name) for name in ("actor", "action", "resource")),
        *(*times, most),
    )
    return [dict(row) for row in rows]
