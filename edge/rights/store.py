"""Rows about one donor, within the scope of the donor's organization."""

from collections.abc import Sequence
from typing import Any, Final

from topics.outbox import AnyConnection

Row = dict[str, Any]

PROFILE: Final = """
    SELECT id, organization, wrapped_key, created_at FROM edge.donor_profiles
    WHERE organization = $1 AND id = $2
"""
GIFTS: Final = """
    SELECT g.donation, g.display, d.status, d.amount_minor, d.currency, d.fund, d.payment_intent,
        d.created_at
    FROM edge.donor_gifts AS g LEFT JOIN read.donations AS d
        ON d.organization = g.organization AND d.id = g.donation
    WHERE g.organization = $1 AND g.profile = $2 ORDER BY g.donation
"""
ENTRIES: Final = """
    SELECT e.subject, e.id, e.kind, e.log, e.index, e.seq, e.recorded_at, o.ciphertext
    FROM read.entries AS e LEFT JOIN read.openings AS o
        ON o.organization = e.organization AND o.entry_id = e.id AND o.section = 'donor'
    WHERE e.organization = $1 AND e.subject = ANY($2::text[]) ORDER BY e.seq
"""
SEALED: Final = """
    SELECT donation, ciphertext FROM read.sealed_donors
    WHERE organization = $1 AND donation = ANY($2::text[]) AND profile = $3
"""
REFUNDS: Final = """
    SELECT id, donation, status, amount_minor, currency, reason, created_at FROM read.refunds
    WHERE organization = $1 AND donation = ANY($2::text[]) ORDER BY created_at, id
"""
DISPUTES: Final = """
    SELECT id, donation, status, reason, amount_minor, created_at FROM read.disputes
    WHERE organization = $1 AND donation = ANY($2::text[]) ORDER BY created_at, id
"""
REQUESTS: Final = """
    SELECT donation, route, environment, created_by, created_at FROM edge.requests
    WHERE donation = ANY($2::text[]) AND organization = $1 ORDER BY created_at
"""
MAILS: Final = """
    SELECT entry_id, outcome, settled_at FROM read.mails
    WHERE organization = $1 AND entry_id = ANY($2::text[]) ORDER BY settled_at
"""
WEBHOOKS: Final = """
    SELECT id, event_type, received_at, payment_intent, body FROM read.stripe_events_of_payments
    WHERE organization = $1 AND payment_intent = ANY($2::text[]) ORDER BY received_at, id
"""
AUDIT: Final = """
    SELECT seq, bytes FROM read.audit_records
    WHERE organization = $1 AND resource = ANY($2::text[]) ORDER BY seq
"""
CONSENTS: Final = """
    SELECT purpose, is_given, wording, source, recorded_at FROM edge.consents
    WHERE organization = $1 AND profile = $2 ORDER BY recorded_at DESC, id DESC
"""
ADD_CONSENT: Final = """
    INSERT INTO edge.consents (id, organization, profile, purpose, is_given, wording, source,
        recorded_by) VALUES ($1, $2, $3, 'marketing', $4, $5, $6, $7)
"""
LOCK_PROFILE: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 30))"
ADD_ERASURE: Final = """
    INSERT INTO edge.erasure_requests (id, organization, profile, basis, requested_by)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (profile, organization) DO NOTHING RETURNING id
"""
ERASURE: Final = """
    SELECT id, profile, basis, decision, requested_at, done_at FROM edge.erasure_requests
    WHERE organization = $1 AND profile = $2
"""
WAKE: Final = "SELECT pg_notify('erasure_requested', '')"
DISPLAY: Final = """
    SELECT profile, display, display_changed_at FROM edge.donor_gifts
    WHERE organization = $1 AND donation = $2
"""
SET_DISPLAY: Final = """
    UPDATE edge.donor_gifts SET display = $3, display_changed_at = clock_timestamp()
    WHERE organization = $1 AND donation = $2
"""
ENTRY: Final = """
    SELECT id, bytes FROM read.entries
    WHERE organization = $1 AND subject = $2 AND kind = 'donation' ORDER BY seq LIMIT 1
"""


async def profile(connection: AnyConnection, organization: str, donor: str) -> Row | None:
    """The donor's profile; None when there is none, or none any more."""
    row = await connection.fetchrow(PROFILE, organization, donor)
    return dict(row) if row is not None else None


async def gifts(connection: AnyConnection, organization: str, donor: str) -> list[Row]:
    """The donor's gifts, in the order in which they were made."""
    return _rows(await connection.fetch(GIFTS, organization, donor))


async def sealed(
    connection: AnyConnection, organization: str, donations: Sequence[str], donor: str
) -> dict[str, str]:
    """Gift -> the donor's ciphertext, as payments keeps it."""
    rows = await connection.fetch(SEALED, organization, donations, donor)
    return {row["donation"]: row["ciphertext"] for row in rows}


async def about(
    connection: AnyConnection, query: str, organization: str, ids: Sequence[str]
) -> list[Row]:
    """Rows of one of the queries above about these ids."""
    return _rows(await connection.fetch(query, organization, ids))


async def consents(connection: AnyConnection, organization: str, donor: str) -> list[Row]:
    """Every answer of the donor, the newest first."""
    return _rows(await connection.fetch(CONSENTS, organization, donor))


async def lock(connection: AnyConnection, donor: str) -> None:
    """Wait for other changes to what is kept of this donor."""
    await connection.execute(LOCK_PROFILE, donor)


async def add_consent(connection: AnyConnection, row: Sequence[Any]) -> None:
    """Note an answer (columns as in ADD_CONSENT)."""
    await connection.execute(ADD_CONSENT, *row)


async def ask_erasure(connection: AnyConnection, row: Sequence[str]) -> bool:
    """Have a donor forgotten (columns as in ADD_ERASURE); False when that was asked before."""
    is_new = await connection.fetchval(ADD_ERASURE, *row) is not None
    if is_new:
        await connection.execute(WAKE)
    return is_new


async def erasure(connection: AnyConnection, organization: str, donor: str) -> Row | None:
    """The request to forget a donor."""
    row = await connection.fetchrow(ERASURE, organization, donor)
    return dict(row) if row is not None else None


async def display(connection: AnyConnection, organization: str, donation: str) -> Row | None:
    """Whose a gift is and how that donor wants to be shown; None for a gift without a donor."""
    row = await connection.fetchrow(DISPLAY, organization, donation)
    return dict(row) if row is not None else None


async def set_display(
    connection: AnyConnection, organization: str, donation: str, value: str
) -> None:
    """Change how a gift's donor is shown."""
    await connection.execute(SET_DISPLAY, organization, donation, value)


async def entry(connection: AnyConnection, organization: str, donation: str) -> Row | None:
    """The entry of a gift, if it is recorded."""
    row = await connection.fetchrow(ENTRY, organization, donation)
    return dict(row) if row is not None else None


def _rows(rows: Sequence[Any]) -> list[Row]:
    return [dict(row) for row in rows]
