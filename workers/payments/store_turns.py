"""Gifts that are tried again, canceled or overdue, and the funds of other currencies."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from contracts.donations import DonationRequested
from topics.outbox import AnyConnection
from workers.gateways.database import Pool, tenant
from workers.payments.decisions import State

# Only what is not paid and not over begins anew; an attempt that `turn` began is left as it is.
BEGIN: Final = """
    UPDATE payments.attempts AS a
    SET state = 'calling', attempt = attempt + 1, turn = $3, on_client = $4,
        unresolved_since = NULL, account = CASE WHEN payment_intent IS NOT NULL THEN account ELSE
            (SELECT stripe_account FROM read.organizations WHERE id = $1) END
    WHERE organization = $1 AND donation = $2 AND turn IS DISTINCT FROM $3
        AND state IN ('failed', 'requires_action')
        AND (expires_at IS NULL
            OR expires_at > coalesce($5::timestamptz, (SELECT now FROM read.business_clock)))
"""
FIND: Final = """
    SELECT a.state::text, a.attempt, a.turn, a.account, a.payment_intent, a.request,
        coalesce(o.authorized AND o.charges_enabled AND NOT o.is_frozen, false) AS usable
    FROM payments.attempts AS a
    LEFT JOIN read.accounts AS o ON o.organization = a.organization AND o.account = a.account
    WHERE a.organization = $1 AND a.donation = $2
"""
DEFAULT_FUND: Final = """
    SELECT id FROM read.funds
    WHERE organization = $1 AND currency = $2 AND is_default AND is_active
"""
OVERDUE: Final = """
    SELECT organization, donation FROM payments.overdue(
        coalesce($1::timestamptz, (SELECT now FROM read.business_clock)), $2)
"""
ASKED: Final = """
    UPDATE payments.attempts AS a SET expiry_asked_at = clock_timestamp()
    FROM unnest($1::text[], $2::text[]) AS o (organization, donation)
    WHERE a.organization = o.organization AND a.donation = o.donation
    RETURNING a.organization, a.donation, a.expiry_asked_at
"""


@dataclass(frozen=True, slots=True)
class Gift:
    """A gift with its newest attempt. `usable`: the account it began on may be charged now.

    `begun_before`: an earlier delivery of the turn may have called Stripe.
    """

    state: State
    attempt: int
    turn: UUID | None
    account: str | None
    payment_intent: str | None
    request: DonationRequested
    usable: bool
    begun_before: bool = True


async def begin_turn(
    pool: Pool,
    organization: str,
    donation: str,
    turn: UUID,
    *,
    on_client: bool,
    now: datetime | None,
) -> Gift | None:
    """Note that Stripe is about to be asked again; the gift, None when it is unknown.

    `now` None means the sandbox's business clock. The attempt is this turn's exactly when the
    gift's `turn` is.
    """
    async with tenant(pool, organization) as connection:
        begun = await connection.execute(BEGIN, organization, donation, turn, on_client, now)
        gift = _gift(await connection.fetchrow(FIND, organization, donation))
    return replace(gift, begun_before=begun == "UPDATE 0") if gift is not None else None


async def find_gift(pool: Pool, organization: str, donation: str) -> Gift | None:
    """The gift, None when it is unknown."""
    async with tenant(pool, organization) as connection:
        return _gift(await connection.fetchrow(FIND, organization, donation))


def _gift(row: Any) -> Gift | None:
    if row is None:
        return None
    request = DonationRequested.model_validate_json(row["request"], extra="ignore")
    return Gift(**{**row, "request": request})


async def default_fund(pool: Pool, organization: str, currency: str) -> str | None:
    """The fund that holds what the organization gets in a currency."""
    async with tenant(pool, organization) as connection:
        fund: str | None = await connection.fetchval(DEFAULT_FUND, organization, currency)
    return fund


async def take_overdue(
    connection: AnyConnection, now: datetime | None, limit: int
) -> list[tuple[str, str, datetime]]:
    """Gifts past their time that nobody asked to close in the last day: organization, gift, now.

    `connection` is in a transaction; its scope becomes that of these organizations.
    """
    rows = await connection.fetch(OVERDUE, now, limit)
    if not rows:
        return []
    organizations = [row["organization"] for row in rows]
    await connection.execute(
        "SELECT set_config('app.organizations', $1, true)", ",".join(sorted(set(organizations)))
    )
    asked = await connection.fetch(ASKED, organizations, [row["donation"] for row in rows])
    return [(row["organization"], row["donation"], row["expiry_asked_at"]) for row in asked]
