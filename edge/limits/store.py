"""Counts of hits, shared by all edges."""

from collections.abc import Sequence
from typing import Final

from asyncpg import Record

from topics.outbox import AnyConnection

# Each row is asked for, shifted to the current slot, and grants no more than the rule has left: one
# statement, so that edges that count at once wait for one another's rows and never see the same one
# twice. The time is the database's, which all edges share; $6 is for tests.
COUNT: Final = """
    WITH asked AS (
        SELECT rule, subject, least(hits, most) AS hits, most, slot_s,
            coalesce($6, extract(epoch FROM clock_timestamp())::double precision) AS now_s
        FROM unnest($1::text[], $2::bytea[], $3::integer[], $4::integer[], $5::double precision[])
            AS a (rule, subject, hits, most, slot_s)
    )
    INSERT INTO edge.hits AS h (rule, subject, slot, hits, granted, most, expires_at)
    SELECT rule, subject, floor(now_s / slot_s), ARRAY[hits, 0, 0, 0, 0, 0, 0], hits, most,
        to_timestamp(now_s + 7 * slot_s)
    FROM asked ORDER BY rule, subject
    ON CONFLICT (rule, subject) DO UPDATE SET (slot, hits, granted, most, expires_at) = (
        SELECT greatest(h.slot, excluded.slot), ARRAY[kept[1] + new] || kept[2:7], new,
            excluded.most, greatest(h.expires_at, excluded.expires_at)
        FROM (
            SELECT (array_fill(0, ARRAY[greatest(0, least(7, excluded.slot - h.slot))::integer])
                || h.hits)[1:7] AS kept
        ) AS shifted, LATERAL (
            SELECT greatest(0, least(excluded.hits[1],
                excluded.most - (SELECT sum(each) FROM unnest(kept) AS each)))::integer AS new
        ) AS grant_
    )
    RETURNING rule, subject, slot, hits, granted,
        coalesce($6, extract(epoch FROM clock_timestamp())::double precision) AS now_s
"""
# Locked in the order in which counts lock them, so that two edges never wait for one another.
GIVE_BACK: Final = """
    WITH locked AS (
        SELECT h.rule, h.subject, (h.slot - r.slot + 1)::integer AS place, r.hits
        FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::integer[])
            AS r (rule, subject, slot, hits)
        JOIN edge.hits AS h ON h.rule = r.rule AND h.subject = r.subject
            AND h.slot - r.slot BETWEEN 0 AND 6
        ORDER BY h.rule, h.subject FOR UPDATE OF h
    )
    UPDATE edge.hits AS h SET hits[place] = greatest(0, h.hits[place] - locked.hits)
    FROM locked WHERE h.rule = locked.rule AND h.subject = locked.subject
"""
FORGET: Final = "DELETE FROM edge.hits WHERE expires_at < now()"

#: Rule, hash of the subject, hits asked for, the most of the rule, seconds of a slot.
Row = tuple[str, bytes, int, int, float]


async def count(
    connection: AnyConnection, rows: Sequence[Row], *, now_s: float | None = None
) -> list[Record]:
    """Count hits, one row for each rule and subject: how many are `granted`, and what stands there.

    `connection` is outside a transaction: a count that many share is not held longer than it takes.
    """
    columns = [list(column) for column in zip(*rows, strict=True)]
    return await connection.fetch(COUNT, *columns, now_s)


#: Rule, hash of the subject, the slot that hits were granted in, how many were not used.
Returned = tuple[str, bytes, int, int]


async def give_back(connection: AnyConnection, rows: Sequence[Returned]) -> None:
    """Take back hits that were granted and not used, where their window still holds them."""
    await connection.execute(GIVE_BACK, *map(list, zip(*rows, strict=True)))


async def forget(connection: AnyConnection) -> None:
    """Delete counts that no window reaches any more."""
    await connection.execute(FORGET)
