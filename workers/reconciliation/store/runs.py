"""What runs found: differences that open and heal, both sides by day, sums, the runs themselves."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from topics.outbox import AnyConnection
from workers.reconciliation.comparison import Figures, Line, Row
from workers.reconciliation.store.reading import Account

LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('reconciliation/' || $1, 0))"
BEGIN: Final = """
    INSERT INTO reconciliation.runs
        (organization, account, since, movements, outcome, reason, started_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id
"""
# What is about a movement heals when a run that covers its day no longer finds it; what is about a
# figure when the next run does not.
HEAL: Final = """
    UPDATE reconciliation.differences SET healed_at = clock_timestamp()
    WHERE organization = $1 AND account IS NOT DISTINCT FROM $2 AND healed_at IS NULL
        AND (occurred_at IS NOT NULL) = $3
        AND ($4::timestamptz IS NULL OR occurred_at IS NULL OR occurred_at >= $4)
        AND subject <> ALL ($5)
"""
KEEP: Final = """
    INSERT INTO reconciliation.differences (organization, account, subject, class, reason, category,
        source, entry, currency, occurred_at, stripe_amount_minor, stripe_fee_minor,
        stripe_net_minor, ledger_amount_minor, ledger_fee_minor, ledger_net_minor)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
    ON CONFLICT (account, subject, organization) WHERE healed_at IS NULL DO UPDATE SET
        class = excluded.class, reason = excluded.reason, category = excluded.category,
        source = excluded.source, entry = excluded.entry, currency = excluded.currency,
        occurred_at = excluded.occurred_at, seen_at = clock_timestamp(),
        stripe_amount_minor = excluded.stripe_amount_minor,
        stripe_fee_minor = excluded.stripe_fee_minor,
        stripe_net_minor = excluded.stripe_net_minor,
        ledger_amount_minor = excluded.ledger_amount_minor,
        ledger_fee_minor = excluded.ledger_fee_minor,
        ledger_net_minor = excluded.ledger_net_minor
"""
#: The pause between two looks at one object doubles from the first up to the second of these.
LOOK_DELAYS: Final = (timedelta(minutes=5), timedelta(hours=24))
TAKE_LOOKS: Final = """
    UPDATE reconciliation.differences SET looks = looks + 1,
        look_after = clock_timestamp() + least($4::interval * power(2, least(looks, 16)), $5)
    WHERE organization = $1 AND account = $2 AND subject = ANY ($3) AND healed_at IS NULL
        AND (look_after <= clock_timestamp() OR $6)
    RETURNING subject
"""
FORGET_DAYS: Final = """
    DELETE FROM reconciliation.days
    WHERE organization = $1 AND account = $2 AND ($3::date IS NULL OR day >= $3)
"""
DAYS: Final = """
    INSERT INTO reconciliation.days VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
SUMS: Final = """
    WITH moved AS (
        SELECT currency, sum(stripe_net_minor) AS stripe, sum(ledger_net_minor) AS ledger
        FROM reconciliation.days WHERE organization = $1 AND account = $2 GROUP BY currency
    ), told AS (
        SELECT currency, sum(net) FILTER (WHERE class = 'in_transit') AS in_transit,
            sum(net) FILTER (WHERE class = 'foreign') AS of_others,
            sum(net) FILTER (WHERE class NOT IN ('in_transit', 'foreign')) AS different
        FROM reconciliation.differences CROSS JOIN LATERAL (
            SELECT coalesce(stripe_net_minor, 0) - coalesce(ledger_net_minor, 0) AS net
        ) AS by
        WHERE organization = $1 AND account = $2 AND healed_at IS NULL AND occurred_at IS NOT NULL
        GROUP BY currency
    ), balance AS (
        SELECT * FROM unnest($3::text[], $4::bigint[]) AS b (currency, amount)
    )
    INSERT INTO reconciliation.sums (organization, account, currency, balance_minor,
        movements_minor, ledger_minor, in_transit_minor, foreign_minor, different_minor, as_of)
    SELECT $1, $2, currency, coalesce(b.amount, 0), coalesce(m.stripe, 0), coalesce(m.ledger, 0),
        coalesce(t.in_transit, 0), coalesce(t.of_others, 0), coalesce(t.different, 0), $5
    FROM (SELECT currency FROM moved UNION SELECT currency FROM balance) AS c
    LEFT JOIN moved AS m USING (currency) LEFT JOIN told AS t USING (currency)
    LEFT JOIN balance AS b USING (currency)
    ON CONFLICT (account, currency, organization) DO UPDATE SET
        balance_minor = excluded.balance_minor, movements_minor = excluded.movements_minor,
        ledger_minor = excluded.ledger_minor, in_transit_minor = excluded.in_transit_minor,
        foreign_minor = excluded.foreign_minor, different_minor = excluded.different_minor,
        as_of = excluded.as_of
    RETURNING currency, balance_minor, movements_minor
"""
FOREIGN: Final = """
    SELECT subject, reason FROM reconciliation.differences
    WHERE account = $1 AND healed_at IS NULL AND class = 'foreign' AND subject = ANY ($2)
"""
# Neither what is foreign nor a debit that the bank refused will ever be anything else.
COVERED: Final = """
    SELECT (SELECT max(day) FROM reconciliation.days WHERE account = $1) AS newest,
        (SELECT min(occurred_at) FROM reconciliation.differences
            WHERE account = $1 AND healed_at IS NULL
                AND class <> 'foreign' AND (class, reason) <> ('in_transit', 'failed')
        ) AS oldest_open,
        (SELECT max(finished_at) FROM reconciliation.runs
            WHERE account = $1 AND since IS NULL AND outcome IN ('agreed', 'differs')) AS whole_at
"""
DIFFERS: Final = """
    SELECT EXISTS (SELECT FROM reconciliation.differences
        WHERE organization = $1 AND account IS NOT DISTINCT FROM $2 AND healed_at IS NULL
            AND class NOT IN ('in_transit', 'foreign'))
"""


async def covered(
    connection: AnyConnection, account: str
) -> tuple[datetime | None, datetime | None, datetime | None]:
    """The newest day compared, the oldest open item's time, when all was compared last."""
    row = await connection.fetchrow(COVERED, account)
    assert row is not None
    newest = row["newest"]
    day = None if newest is None else datetime.fromisoformat(f"{newest}T00:00:00+00:00")
    return day, row["oldest_open"], row["whole_at"]


async def known_foreign(
    connection: AnyConnection, account: str, ids: Sequence[str]
) -> dict[str, str]:
    """Which of these movements are known to be foreign, and why."""
    rows = await connection.fetch(FOREIGN, account, list(ids))
    return {row["subject"]: row["reason"] for row in rows}


async def lock(connection: AnyConnection, subject: str) -> None:
    """Wait until no other process keeps results about this."""
    await connection.execute(LOCK, subject)


async def differs(connection: AnyConnection, organization: str, account: str | None) -> bool:
    """Whether something is open that is not explained."""
    return bool(await connection.fetchval(DIFFERS, organization, account))


async def begin(
    connection: AnyConnection,
    account: Account,
    outcome: str,
    started_at: datetime,
    *,
    since: datetime | None = None,
    movements: int = 0,
    reason: str | None = None,
) -> int:
    """Keep a run; its number."""
    number: int = await connection.fetchval(
        BEGIN,
        *(account.organization, account.account, since, movements, outcome, reason, started_at),
    )
    return number


async def keep_items(
    connection: AnyConnection,
    organization: str,
    account: str | None,
    rows: Iterable[Row],
    *,
    about_movements: bool,
    since: datetime | None = None,
) -> None:
    """Open or renew what was found, and heal what was not, within what the run covered."""
    found = list(rows)
    subjects = [row.subject for row in found]
    await connection.execute(HEAL, organization, account, about_movements, since, subjects)
    await connection.executemany(KEEP, [_values(organization, account, row) for row in found])


def _values(organization: str, account: str | None, row: Row) -> tuple[Any, ...]:
    nothing = (None, None, None)
    return (
        *(organization, account, row.subject, row.of_class, row.reason, row.category),
        *(row.source, row.entry, row.currency, row.occurred_at),
        *(row.stripe or nothing),
        *(row.ledger or nothing),
    )


async def take_looks(
    connection: AnyConnection, account: Account, subjects: Sequence[str], *, at_once: bool
) -> set[str]:
    """Those of the items that are due for a look; the next one is due later and later."""
    rows = await connection.fetch(
        *(TAKE_LOOKS, account.organization, account.account, list(subjects)),
        *(*LOOK_DELAYS, at_once),
    )
    return {row["subject"] for row in rows}


async def keep_days(
    connection: AnyConnection,
    account: Account,
    since: datetime | None,
    days: Mapping[Line, Figures],
) -> None:
    """Replace both sides of the days from `since` on, or of all."""
    key = (account.organization, account.account)
    await connection.execute(FORGET_DAYS, *key, since.date() if since else None)
    await connection.executemany(
        DAYS,
        [
            (
                *(*key, line.currency, line.day, line.category),
                *(one.stripe_count, one.stripe_amount_minor, one.stripe_fee_minor),
                *(one.stripe_net_minor, one.ledger_count, one.ledger_amount_minor),
                *(one.ledger_fee_minor, one.ledger_net_minor),
            )
            for line, one in days.items()
        ],
    )


async def keep_sums(
    connection: AnyConnection, account: Account, balance: Mapping[str, int], as_of: datetime
) -> list[Row]:
    """Sum up the account; where Stripe's balance is not the sum of Stripe's own movements."""
    rows = await connection.fetch(
        *(SUMS, account.organization, account.account),
        *(list(balance), list(balance.values()), as_of),
    )
    return [
        Row(
            subject=f"balance:{row['currency']}",
            of_class="differs",
            reason="balance",
            currency=row["currency"],
            stripe=(None, None, row["balance_minor"]),
            ledger=(None, None, row["movements_minor"]),
        )
        for row in rows
        if row["balance_minor"] != row["movements_minor"]
    ]
