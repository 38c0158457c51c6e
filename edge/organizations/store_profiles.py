"""Organizations as they apply, are reviewed, change and are listed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from asyncpg import Record

from edge.organizations.decisions import State
from edge.organizations.models import OrganizationApplication, OrganizationProfile
from topics.outbox import AnyConnection

_COLUMNS: Final = """
    o.id, o.slug, o.name, o.kind, o.description, o.website, o.logo, o.country, o.sdgs,
    o.default_currency, o.is_listed, o.status, o.review, o.reason, o.verification_level,
    o.visibility, o.accepts_donations, o.is_platform, o.version, o.verified_at, o.suspended_at,
    o.created_at, o.updated_at
"""
# Everything is shown once an owner says so, and not before.
APPLY: Final = """
    INSERT INTO edge.organizations (id, slug, name, kind, description, website, logo, country, sdgs,
        default_currency, is_listed, status, review, visibility, applied_by, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'pending', 'requested',
        'public_aggregated', $12, $13, $13)
"""
WAITING: Final = """
    SELECT count(*) FROM edge.organizations WHERE applied_by = $1 AND status = 'pending'
"""
ONE: Final = f"SELECT {_COLUMNS} FROM edge.organizations AS o WHERE o.id = $1"  # noqa: S608 - a constant of this module
LOCKED: Final = ONE + " FOR UPDATE"
CHANGE: Final = """
    UPDATE edge.organizations
    SET name = $2, kind = $3, description = $4, website = $5, logo = $6, country = $7, sdgs = $8,
        default_currency = $9, is_listed = $10, version = version + 1, updated_at = now()
    WHERE id = $1
"""
SET_VISIBILITY: Final = """
    UPDATE edge.organizations SET visibility = $2, version = version + 1, updated_at = now()
    WHERE id = $1
"""
MOVE: Final = """
    UPDATE edge.organizations
    SET status = $2, review = $3, reason = $4, version = version + 1, updated_at = $5,
        verified_at = CASE WHEN $2 = 'verified' THEN coalesce(verified_at, $5) ELSE verified_at END,
        suspended_at = CASE WHEN $2 = 'suspended' THEN $5::timestamptz END,
        verification_level = coalesce($6, verification_level)
    WHERE id = $1
"""
#: So that the payouts' job, which knows those that said something, stops at a suspended one too.
PAYOUTS_TOO: Final = """
    INSERT INTO edge.payout_settings (organization, changed_at) VALUES ($1, $2)
    ON CONFLICT (organization) DO UPDATE SET changed_at = excluded.changed_at
"""
LISTED: Final = f"""
    SELECT {_COLUMNS} FROM edge.organizations AS o
    WHERE o.status = 'verified' AND o.is_listed AND NOT o.is_platform
        AND ($1::text IS NULL OR o.name ILIKE $1 OR o.slug ILIKE $1)
        AND ($2::smallint IS NULL OR $2 = ANY (o.sdgs))
        AND ($3::text IS NULL OR o.country = $3)
        AND ($4::timestamptz IS NULL OR (o.created_at, o.id) < ($4, $5))
    ORDER BY o.created_at DESC, o.id DESC LIMIT $6
"""  # noqa: S608 - a constant of this module
OF_PERSON: Final = f"""
    SELECT {_COLUMNS} FROM edge.members AS m JOIN edge.organizations AS o ON o.id = m.organization
    WHERE m.person = $1 AND m.removed_at IS NULL AND (m.expires_at IS NULL OR m.expires_at > now())
        AND ($2::timestamptz IS NULL OR (o.created_at, o.id) < ($2, $3))
    ORDER BY o.created_at DESC, o.id DESC LIMIT $4
"""  # noqa: S608 - a constant of this module
QUEUE: Final = f"""
    SELECT {_COLUMNS} FROM edge.organizations AS o
    WHERE ($1::text IS NULL OR o.status = $1) AND ($2::text IS NULL OR o.review = $2)
        AND ($3::timestamptz IS NULL OR (o.created_at, o.id) > ($3, $4))
    ORDER BY o.created_at, o.id LIMIT $5
"""  # noqa: S608 - a constant of this module


async def apply(
    connection: AnyConnection,
    identifier: str,
    application: OrganizationApplication,
    person: str,
    now: datetime,
) -> None:
    """A pending organization; asyncpg.UniqueViolationError when the slug is taken."""
    await connection.execute(
        APPLY, identifier, application.slug, *_profile(application), person, now
    )


async def waiting(connection: AnyConnection, person: str) -> int:
    """How many applications of this person wait for their review."""
    number: int = await connection.fetchval(WAITING, person)
    return number


async def one(connection: AnyConnection, identifier: str) -> Record | None:
    """An organization."""
    return await connection.fetchrow(ONE, identifier)


async def locked(connection: AnyConnection, identifier: str) -> Record | None:
    """An organization in scope; whatever else changes it, or its people, waits."""
    return await connection.fetchrow(LOCKED, identifier)


async def change(connection: AnyConnection, identifier: str, profile: OrganizationProfile) -> None:
    """Set the profile."""
    await connection.execute(CHANGE, identifier, *_profile(profile))


async def set_visibility(connection: AnyConnection, identifier: str, visibility: str) -> None:
    """Set what coming entries show."""
    await connection.execute(SET_VISIBILITY, identifier, visibility)


async def move(
    connection: AnyConnection,
    identifier: str,
    state: State,
    reason: str | None,
    now: datetime,
    verification_level: str | None,
) -> None:
    """Set where it stands; its payouts take notice."""
    await connection.execute(
        MOVE, identifier, state.status, state.review, reason, now, verification_level
    )
    if state.status == "suspended":
        await connection.execute(PAYOUTS_TOO, identifier, now)


async def listed(
    connection: AnyConnection,
    search: str | None,
    sdg: int | None,
    country: str | None,
    after: Sequence[Any],
    rows_max: int,
) -> list[Record]:
    """What the public list shows, newest first; `search` is a pattern of ILIKE."""
    return await connection.fetch(LISTED, search, sdg, country, *after, rows_max)


async def of_person(
    connection: AnyConnection, person: str, after: Sequence[Any], rows_max: int
) -> list[Record]:
    """Those that the person in scope is a member of, newest first."""
    return await connection.fetch(OF_PERSON, person, *after, rows_max)


async def queue(
    connection: AnyConnection,
    status: str | None,
    review: str | None,
    after: Sequence[Any],
    rows_max: int,
) -> list[Record]:
    """All there are, those that waited longest first."""
    return await connection.fetch(QUEUE, status, review, *after, rows_max)


def _profile(profile: OrganizationProfile) -> tuple[Any, ...]:
    return (
        *(profile.name, profile.kind, profile.description, profile.website, profile.logo),
        *(profile.country, profile.sdgs, profile.default_currency, profile.is_listed),
    )
