"""What setting up and looking after a deployment asks PostgreSQL."""

from datetime import datetime, timedelta
from typing import Any, Final

from ledger.visibility import Label

FIGURES: Final = """
    SELECT
        (SELECT count(*) FROM messages.outbox) AS outbox_rows,
        (SELECT round(seconds::numeric, 1) FROM read.outbox_age) AS outbox_oldest_s,
        (SELECT count(*) FROM messages.set_aside WHERE disposition = 'parked') AS parked,
        (SELECT count(*) FROM messages.set_aside WHERE disposition = 'dead') AS dead_letters,
        (SELECT count(*) FROM read.entries) AS entries,
        (SELECT count(*) FROM ledger.pending_erasures) AS erasures_pending,
        (SELECT max(size) FROM read.checkpoints) AS checkpoint_size,
        (SELECT round(extract(epoch FROM clock_timestamp() - max(published_at)), 1)
            FROM read.checkpoints) AS checkpoint_age_s,
        (SELECT max(size) FROM read.witnessed) AS witnessed_size,
        (SELECT round(extract(epoch FROM clock_timestamp() - max(witnessed_at)), 1)
            FROM read.witnessed) AS witnessed_age_s
"""

DATABASE_EXISTS: Final = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)"
PERMISSIONS_WRITTEN: Final = """
    SELECT EXISTS (SELECT FROM read.permission_tokens WHERE organization = $1)
"""
MAY_CHARGE: Final = """
    SELECT EXISTS (
        SELECT FROM read.accounts
        WHERE organization = $1 AND is_current AND authorized AND charges_enabled)
"""
ORGANIZATION_ID: Final = "SELECT id FROM read.organizations WHERE slug = $1"
CURRENT_ACCOUNT: Final = """
    SELECT account FROM read.accounts WHERE organization = $1 AND is_current
"""

SET_PLATFORM_FEE: Final = """
    UPDATE edge.organizations SET platform_fee_basis_points = $2 WHERE id = $1
"""
PLATFORM_FEE: Final = "SELECT platform_fee_basis_points FROM edge.organizations WHERE id = $1"

ENTRY_LABEL: Final = """
    SELECT e.bytes, c.visibility, c.public_after
    FROM read.entries e LEFT JOIN read.visibility_changes c
        ON c.entry_id = e.id AND c.organization = e.organization
    WHERE e.organization = $1 AND e.id = $2
"""
ADVANCE_CLOCK: Final = "UPDATE sandbox.business_clock SET ahead = ahead + $1"
BUSINESS_NOW: Final = "SELECT now FROM read.business_clock"


async def create_database(connection: Any, name: str) -> None:
    """Create a database, an identifier of ours, unless it is there."""
    if not await connection.fetchval(DATABASE_EXISTS, name):
        await connection.execute(f"CREATE DATABASE {name}")


async def figures(connection: Any) -> dict[str, object]:
    """Counts and ages (seconds) that say whether the platform keeps up."""
    return dict(await connection.fetchrow(FIGURES))


async def current_account(connection: Any, organization: str) -> str | None:
    """The account at Stripe of the organization (its id) that gifts go to now."""
    found: str | None = await connection.fetchval(CURRENT_ACCOUNT, organization)
    return found


async def set_platform_fee(connection: Any, organization: str, basis_points: int) -> None:
    """Set the platform's share of an organization's charges, in 1/10 000, in its scope."""
    await connection.execute(SET_PLATFORM_FEE, organization, basis_points)


async def platform_fee(connection: Any, organization: str) -> int:
    """The platform's share of an organization's charges, in 1/10 000, in its scope."""
    basis_points: int = await connection.fetchval(PLATFORM_FEE, organization)
    return basis_points


async def organization_id(connection: Any, slug: str) -> str | None:
    """The id behind a slug, if there is such an organization."""
    found: str | None = await connection.fetchval(ORGANIZATION_ID, slug)
    return found


async def permissions_written(connection: Any, organization: str) -> bool:
    """Whether SpiceDB was told of the organization."""
    return bool(await connection.fetchval(PERMISSIONS_WRITTEN, organization))


async def may_charge(connection: Any, organization: str) -> bool:
    """Whether Stripe lets the organization's account take charges."""
    return bool(await connection.fetchval(MAY_CHARGE, organization))


async def entry_label(
    connection: Any, organization: str, entry: str
) -> tuple[bytes, Label | None] | None:
    """An entry's bytes and the label of its newest change, within the transaction's scope."""
    row = await connection.fetchrow(ENTRY_LABEL, organization, entry)
    if row is None:
        return None
    changed = row["visibility"] is not None
    return row["bytes"], Label(row["visibility"], row["public_after"]) if changed else None


async def advance_clock(connection: Any, by: timedelta) -> datetime:
    """Move the business clock forward; what it says then."""
    await connection.execute(ADVANCE_CLOCK, by)
    now: datetime = await connection.fetchval(BUSINESS_NOW)
    return now
