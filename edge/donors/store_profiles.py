"""Donors' profiles as their organization sees them, within the tenant scope."""

from datetime import datetime
from typing import Final

from edge.database.rows import Row, many, one
from topics.outbox import AnyConnection

# Gifts of the platform by their projection, those outside it by their entry.
_GIFTS: Final = """
    SELECT g.profile, g.organization, d.id, false AS is_offline, d.status, d.amount_minor,
        d.currency, d.entry_id, d.created_at
    FROM read.donor_gifts AS g
    JOIN read.donations AS d ON d.id = g.donation AND d.organization = g.organization
    UNION ALL
    SELECT g.profile, g.organization, g.donation, true, 'recorded', t.amount::bigint, t.currency,
        t.entry_id, t.recorded_at
    FROM read.donor_gifts AS g
    JOIN read.entries AS e ON e.subject = g.donation AND e.organization = g.organization
        AND e.kind = 'offline_donation'
    JOIN read.transactions AS t ON t.entry_id = e.id AND t.organization = e.organization
        AND t.type = 'donation'
"""
_PROFILE: Final = f"""
    SELECT p.id, p.organization, p.wrapped_key, p.created_at,
        coalesce((
            SELECT json_agg(json_build_object('currency', s.currency, 'gifts', s.gifts,
                'amount_minor', s.amount_minor) ORDER BY s.currency)
            FROM (SELECT currency, count(*) AS gifts, sum(amount_minor)::bigint AS amount_minor
                FROM ({_GIFTS}) AS gift
                WHERE gift.profile = p.id AND gift.organization = p.organization
                    AND gift.status IN ('captured', 'recorded')
                GROUP BY currency) AS s), '[]')::text AS given,
        (SELECT o.ciphertext
            FROM read.donor_gifts AS g
            JOIN read.entries AS e ON e.subject = g.donation AND e.organization = g.organization
                AND e.kind IN ('donation', 'offline_donation')
            JOIN read.openings AS o ON o.entry_id = e.id AND o.organization = e.organization
                AND o.section = 'donor'
            WHERE g.profile = p.id AND g.organization = p.organization
            ORDER BY e.seq DESC LIMIT 1) AS ciphertext
    FROM edge.donor_profiles AS p WHERE p.organization = $1
"""  # noqa: S608 - made of constants of this module
PROFILE: Final = _PROFILE + " AND p.id = $2"
PROFILES: Final = (
    _PROFILE
    + """
    AND ($2::timestamptz IS NULL OR (p.created_at, p.id) > ($2, $3))
    AND ($4::bytea IS NULL OR p.person_hash = $4)
    ORDER BY p.created_at, p.id LIMIT $5
"""
)
IS_THERE: Final = """
    SELECT EXISTS (SELECT FROM edge.donor_profiles WHERE organization = $1 AND id = $2)
"""
GIFTS: Final = f"""
    SELECT * FROM ({_GIFTS}) AS gift
    WHERE organization = $1 AND profile = $2
        AND ($3::timestamptz IS NULL OR (created_at, id) > ($3, $4))
    ORDER BY created_at, id LIMIT $5
"""  # noqa: S608 - made of constants of this module


async def profile(connection: AnyConnection, organization: str, identifier: str) -> Row | None:
    """One donor, with the newest opening that says who it is."""
    return await one(connection, PROFILE, organization, identifier)


async def profiles(
    connection: AnyConnection,
    organization: str,
    after: tuple[datetime | None, str | None],
    person_hash: bytes | None,
    most: int,
) -> list[Row]:
    """Donors by when they first gave, behind `after`; those with this keyed hash, if given."""
    return await many(connection, PROFILES, organization, *after, person_hash, most)


async def is_there(connection: AnyConnection, organization: str, identifier: str) -> bool:
    """Whether the organization knows such a donor."""
    return bool(await connection.fetchval(IS_THERE, organization, identifier))


async def gifts(
    connection: AnyConnection,
    organization: str,
    identifier: str,
    after: tuple[datetime | None, str | None],
    most: int,
) -> list[Row]:
    """A donor's gifts, oldest first, behind `after`."""
    return await many(connection, GIFTS, organization, identifier, *after, most)
