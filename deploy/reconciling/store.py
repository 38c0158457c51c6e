"""Requests for runs, and what runs found, as operators may see it."""

from typing import Any, Final
from uuid import UUID

REQUEST: Final = """
    WITH asked AS (
        INSERT INTO reconciliation.requests (id, organization) VALUES ($1, $2) RETURNING id
    )
    SELECT pg_notify('reconciliation_requested', id::text) FROM asked
"""
STATE: Final = """
    SELECT taken_at IS NOT NULL AS is_taken, finished_at IS NOT NULL AS is_finished
    FROM reconciliation.requests WHERE id = $1
"""
#: The newest run of each account; an account that was never compared has none.
ACCOUNTS: Final = """
    SELECT o.id AS organization, o.slug, r.account, r.outcome, r.reason, r.finished_at,
        (SELECT max(w.finished_at) FROM reconciliation.runs AS w
            WHERE w.account = r.account AND w.since IS NULL
                AND w.outcome IN ('agreed', 'differs')) AS whole_at,
        coalesce((
            SELECT jsonb_agg(to_jsonb(s) - '{organization,account}'::text[] ORDER BY s.currency)
            FROM reconciliation.sums AS s WHERE s.account = r.account
        ), '[]')::text AS sums
    FROM (
        SELECT DISTINCT ON (account) organization, account, outcome, reason, finished_at
        FROM reconciliation.runs ORDER BY account, id DESC
    ) AS r JOIN read.organizations AS o ON o.id = r.organization
    WHERE $1::text IS NULL OR o.id = $1
    ORDER BY o.slug, r.account
"""
DIFFERENCES: Final = """
    SELECT o.slug, d.account, d.subject, d.class,
        d.class NOT IN ('in_transit', 'foreign') AS is_fault,
        d.reason, d.category, d.source, d.entry, d.currency, d.occurred_at,
        d.stripe_amount_minor, d.stripe_fee_minor, d.stripe_net_minor,
        d.ledger_amount_minor, d.ledger_fee_minor, d.ledger_net_minor, d.opened_at
    FROM reconciliation.differences AS d JOIN read.organizations AS o ON o.id = d.organization
    WHERE d.healed_at IS NULL AND ($1::text IS NULL OR o.id = $1)
    ORDER BY is_fault DESC, o.slug, d.account NULLS FIRST, d.occurred_at NULLS FIRST, d.id
"""


async def request(connection: Any, identifier: UUID, organization: str | None) -> None:
    """Ask for a run, of one organization or of all, and wake the process."""
    await connection.execute(REQUEST, identifier, organization)


async def state(connection: Any, identifier: UUID) -> tuple[bool, bool]:
    """Whether a process took the request, and whether it finished it."""
    row = await connection.fetchrow(STATE, identifier)
    return row["is_taken"], row["is_finished"]


async def accounts(connection: Any, organization: str | None) -> list[dict[str, Any]]:
    """Accounts with their newest run; `sums` is a JSON array."""
    return [dict(row) for row in await connection.fetch(ACCOUNTS, organization)]


async def differences(connection: Any, organization: str | None) -> list[dict[str, Any]]:
    """What is open, faults first."""
    return [dict(row) for row in await connection.fetch(DIFFERENCES, organization)]
