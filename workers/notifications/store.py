"""Notifications in PostgreSQL: what a mail needs, and which mails are settled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from topics.outbox import AnyConnection
from workers.gateways.database import Pool, tenant
from workers.notifications.decisions import Settled

LOAD: Final = """
    SELECT o.name AS organization, m.outcome IS NOT NULL AS settled, d.profile, d.ciphertext,
        k.wrapped_key, money.plain AS money
    FROM read.organizations AS o
    LEFT JOIN notifications.mails AS m ON m.organization = o.id AND m.entry_id = $2
    LEFT JOIN read.openings AS d
        ON d.organization = o.id AND d.entry_id = $3 AND d.section = 'donor'
    LEFT JOIN read.openings AS money
        ON money.organization = o.id AND money.entry_id = $2 AND money.section = 'money'
    LEFT JOIN read.donor_keys AS k ON k.organization = o.id AND k.id = d.profile
    WHERE o.id = $1
"""
INVITATION: Final = """
    SELECT i.id, i.role, i.sealed, i.expires_at, i.organization_name AS organization
    FROM read.invitation_mails AS i
    WHERE i.organization = $1 AND i.id = $2 AND i.expires_at > now() AND NOT EXISTS (
        SELECT FROM notifications.mails AS m
        WHERE m.organization = i.organization AND m.entry_id = i.id)
"""
SETTLE: Final = """
    INSERT INTO notifications.mails (organization, entry_id, outcome, smtp_code)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[])
    ON CONFLICT (organization, entry_id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Material:
    """What there is for a mail. The key is gone when the donor was forgotten."""

    organization: str
    settled: bool
    profile: str | None
    ciphertext: str | None
    wrapped_key: bytes | None
    money: bytes | None


@dataclass(frozen=True, slots=True)
class SealedInvitation:
    """What an invitation's mail needs: address and token encrypted, the organization's name."""

    id: str
    role: str
    sealed: bytes
    expires_at: datetime
    organization: str


async def load(pool: Pool, asked: Sequence[tuple[str, str, str]]) -> list[Material | None]:
    """The material for mails, None when there is no such tenant.

    Asked for by (organization, entry, the entry that seals the donor).
    """
    async with tenant(pool, *(organization for organization, *_ in asked)) as connection:
        # One by one: a planner without statistics finds a single entry, but reads all for many.
        rows = [await connection.fetchrow(LOAD, *key) for key in asked]
    return [Material(**row) if row else None for row in rows]


async def invitation(pool: Pool, organization: str, identifier: str) -> SealedInvitation | None:
    """An open invitation whose mail is not settled."""
    async with tenant(pool, organization) as connection:
        row = await connection.fetchrow(INVITATION, organization, identifier)
    return SealedInvitation(**row) if row else None


async def settle(connection: AnyConnection, settled: Sequence[tuple[str, str, Settled]]) -> None:
    """Keep what became of each mail, by (organization, what it is about)."""
    rows = [
        (organization, subject, outcome.outcome, outcome.smtp_code)
        for organization, subject, outcome in settled
    ]
    if rows:
        await connection.execute(SETTLE, *[list(column) for column in zip(*rows, strict=True)])
