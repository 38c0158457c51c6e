"""Accepted requests, donor profiles, and the read views of donations."""

from collections.abc import Sequence
from typing import Any, Final

from asyncpg import Record

from topics.outbox import AnyConnection

CLAIM: Final = """
    INSERT INTO edge.requests (organization, environment, route, idempotency_key, fingerprint,
        donation, created_by, answer)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::text[],
        $7::text[], $8::bytea[])
    ON CONFLICT DO NOTHING
    RETURNING donation
"""
FIND_REQUEST: Final = """
    SELECT fingerprint, donation, answer FROM edge.requests
    WHERE organization = $1 AND environment = $2 AND route = $3 AND idempotency_key = $4
"""
# One look-up by key for each person: a planner without statistics would read all of them.
FIND_PROFILES: Final = """
    SELECT found.* FROM unnest($1::text[], $2::bytea[]) AS asked (organization, person_hash)
    CROSS JOIN LATERAL (
        SELECT organization, person_hash, id, wrapped_key FROM edge.donor_profiles AS p
        WHERE p.organization = asked.organization AND p.person_hash = asked.person_hash OFFSET 0
    ) AS found
"""
CREATE_PROFILES: Final = """
    INSERT INTO edge.donor_profiles (organization, person_hash, id, wrapped_key)
    SELECT * FROM unnest($1::text[], $2::bytea[], $3::text[], $4::bytea[])
    ON CONFLICT (organization, person_hash) DO NOTHING
    RETURNING organization, person_hash, id, wrapped_key
"""
NOTE_GIFTS: Final = """
    INSERT INTO edge.donor_gifts (organization, profile, donation, display)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
"""
FIND_ANSWERS: Final = """
    SELECT created_by, answer, route FROM edge.requests WHERE organization = $1 AND donation = $2
"""
FIND_DONATION: Final = """
    SELECT id, organization, status, amount_minor, charge_amount_minor, currency, fund, campaign,
        covers_fee,
        failure_code, decline_code, payment_intent, entry_id, log, index, seq, created_at,
        updated_at, attempt, minimum_minor, minimum_currency
    FROM read.donations WHERE organization = $1 AND id = $2
"""
FIND_CIPHERTEXT: Final = """
    SELECT ciphertext, account FROM read.client_secrets WHERE organization = $1 AND donation = $2
"""

Row = tuple[str, str, str, str, bytes, str, str, bytes]


async def claim(connection: AnyConnection, rows: Sequence[Row]) -> set[str]:
    """Insert requests (columns as in CLAIM) and return the donations whose key was free.

    Everybody inserts in the order of the key, so that two edges never wait for one another.
    """
    ordered = sorted(rows, key=lambda row: row[:4])
    records = await connection.fetch(CLAIM, *map(list, zip(*ordered, strict=True)))
    return {record["donation"] for record in records}


async def find_request(connection: AnyConnection, key: Sequence[str]) -> Record | None:
    """The request stored under (organization, environment, route, Idempotency-Key)."""
    return await connection.fetchrow(FIND_REQUEST, *key)


async def find_profiles(
    connection: AnyConnection, people: Sequence[tuple[str, bytes]]
) -> list[Record]:
    """Profiles by (organization, person hash)."""
    return await connection.fetch(FIND_PROFILES, *map(list, zip(*people, strict=True)))


async def create_profiles(
    connection: AnyConnection, profiles: Sequence[tuple[str, bytes, str, bytes]]
) -> list[Record]:
    """Insert (organization, person hash, id, wrapped key); the rows that were new."""
    ordered = sorted(profiles, key=lambda profile: profile[:2])
    return await connection.fetch(CREATE_PROFILES, *map(list, zip(*ordered, strict=True)))


async def note_gifts(connection: AnyConnection, gifts: Sequence[tuple[str, str, str, str]]) -> None:
    """Insert (organization, profile, donation, display): what an erasure has to reach."""
    await connection.execute(NOTE_GIFTS, *map(list, zip(*gifts, strict=True)))


async def find_answers(connection: AnyConnection, organization: str, donation: str) -> list[Record]:
    """What was answered about the donation, by route, and to which key."""
    return await connection.fetch(FIND_ANSWERS, organization, donation)


async def find_donation(
    connection: AnyConnection, organization: str, donation: str
) -> dict[str, Any] | None:
    """The projected state of a donation; None until its request was seen there."""
    row = await connection.fetchrow(FIND_DONATION, organization, donation)
    return dict(row) if row is not None else None


async def find_client_secret(
    connection: AnyConnection, organization: str, donation: str
) -> Record | None:
    """The encrypted client secret of a payment that waits for its donor, and its account."""
    return await connection.fetchrow(FIND_CIPHERTEXT, organization, donation)
