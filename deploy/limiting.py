"""Rates that operators give single organizations, each change with its row in the audit log."""

from typing import Any

import asyncpg

from deploy.operations import store_limits as store
from deploy.operations.store import organization_id
from edge.audit import writing as audit
from edge.audit.asking import OPERATOR, Asking, asking
from edge.limits.policies import TABLE


class NoSuchOrganizationError(ValueError):
    """There is no such organization."""


async def adjusted(dsn: str, slug: str | None) -> list[dict[str, Any]]:
    """Rates that differ from everybody's, each with `usual` beside."""
    connection = await asyncpg.connect(dsn)
    try:
        organization = None if slug is None else await _known(connection, slug)
        rows = await store.adjusted(connection, organization)
    finally:
        await connection.close()
    return [_shown(row) for row in rows]


async def adjust(dsn: str, slug: str, rate: str, most: int | None) -> tuple[int | None, int | None]:
    """Give an organization's keys a rate of their own (None: everybody's); before and after.

    Each edge hears of it at once.
    """
    connection = await asyncpg.connect(dsn)
    try:
        organization = await _known(connection, slug)
        async with connection.transaction():
            await store.set_scope(connection, organization)
            before = await store.current(connection, organization, rate)
            await store.adjust(connection, organization, rate, most)
            action = "resetRateLimit" if most is None else "setRateLimit"
            with asking(Asking(OPERATOR, action)):
                await audit.write(
                    connection, rate, organization=organization, before=before, after=most
                )
    finally:
        await connection.close()
    return before, most


async def _known(connection: Any, slug: str) -> str:
    found = await organization_id(connection, slug)
    if found is None:
        raise NoSuchOrganizationError(f"there is no organization {slug}")
    return found


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    usual, window_s = TABLE.get(row["rate"], (None, None))
    return {
        "organization": row["organization"],
        "slug": row["slug"],
        "rate": row["rate"],
        "most": row["most"],
        "usual": usual,
        "window_s": window_s,
        "decided_at": row["decided_at"].isoformat(),
    }
