"""The audit log for those whom SpiceDB lets see it: pages, and a copy that anybody can verify."""

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import Any

from amply_verify import canonical
from edge.audit import store
from edge.database.pool import Database
from edge.listing import cursor_of, listing
from ledger import keys
from ledger.audit import PURPOSE
from ledger.audit_export import opening_of
from ledger.store import audit_checking


class AuditLog:
    """Reads records; `master_key` opens what is sealed of clients."""

    def __init__(self, database: Database, master_key: bytes) -> None:
        self._database = database
        self._key = keys.derive(master_key, PURPOSE)

    async def page(
        self,
        organization: str,
        before: int | None,
        filters: Mapping[str, str],
        times: tuple[datetime | None, datetime | None],
        limit: int,
    ) -> dict[str, Any]:
        """A page of records, newest first."""
        async with self._database.transaction([organization]) as connection:
            rows = await store.records(connection, organization, before, filters, times, limit + 1)
        following = None
        if len(rows) > limit:
            last = rows[limit - 1]
            following = cursor_of(last["recorded_at"].isoformat(), str(last["seq"]))
        return listing([self._show(row) for row in rows[:limit]], following)

    async def copy(self, organization: str) -> AsyncGenerator[bytes, None]:
        """The lines of a copy as they are at one moment."""
        async with self._database.transaction([organization], is_snapshot=True) as connection:
            async for line in audit_checking.copy(connection, organization, self._key):
                yield line

    def _show(self, row: Mapping[str, Any]) -> dict[str, Any]:
        data = bytes(row["bytes"])
        record = canonical.parse(data)
        opening = opening_of(data, row["client"], self._key)
        return {
            "object": "audit_record",
            "id": str(record["seq"]),
            "seq": record["seq"],
            "time": record["time"],
            "occurred_at": record["occurred"],
            "actor": record["actor"],
            "credential": record["credential"],
            "action": record["action"],
            "resource": record["resource"],
            "request_id": record["request"],
            "outcome": record["outcome"],
            "code": record["code"],
            "times": record["times"],
            "network": None if opening is None else opening["value"]["network"],
            "before": record["before"],
            "after": record["after"],
            "prev": record["prev"],
            "hash": bytes(row["hash"]).hex(),
        }
