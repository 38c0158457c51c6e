"""Looks: what Stripe shows of a payout, of the lines that it is made of, of a fee."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.identifiers import parse_type_id
from workers.gateways import stripe_balance, stripe_payouts
from workers.gateways.business_clock import BusinessClock
from workers.gateways.database import Pool, tenant
from workers.gateways.stripe_balance import OF_PAYMENTS, BalanceLine, Origin
from workers.gateways.stripe_gateway import StripeGateway
from workers.gateways.stripe_objects import AccessRevoked, Missing
from workers.gateways.stripe_payouts import Payout
from workers.payouts import decisions
from workers.payouts.decisions import Owner, Reason
from workers.payouts.store import booking, splits


@dataclass(frozen=True, slots=True)
class Payouts:
    """Open for the life of the process."""

    stripe: StripeGateway
    pool: Pool
    clock: BusinessClock


@dataclass(frozen=True, slots=True)
class SeenPayout:
    """A payout and the lines that its split is made from.

    Of an automatic payout these are its items, of a manual one the lines of the account from
    `first` (None: the beginning) up to the payout. `foreign` has the lines that are another
    shop's, with the reason. Without lines the payout was split before.
    """

    payout: Payout
    owner: Owner
    lines: tuple[BalanceLine, ...]
    first: datetime | None
    foreign: dict[str, str]


@dataclass(frozen=True, slots=True)
class SeenFee:
    """A line of the account that no gift and no payout caused."""

    line: BalanceLine
    owner: Owner


@dataclass(frozen=True, slots=True)
class Ignored:
    """It moves nothing here, for a reason that is kept."""

    reason: Reason


Verdict = SeenPayout | SeenFee | Ignored | None


async def look_at(
    payouts: Payouts, organization: str, account: str, found: str
) -> SeenPayout | SeenFee | Ignored | None:
    """What the object `po_…` or `txn_…` of an account is, and what it is made of."""
    owner = await booking.owner_of(payouts.pool, organization, account)
    if owner is None:
        return Ignored("foreign")
    if found.startswith("txn_"):
        return await _look_at_line(payouts, organization, account, found, owner)
    payout = await stripe_payouts.fetch_payout(payouts.stripe, account, found)
    if isinstance(payout, Missing):
        return Ignored("not_found")
    if isinstance(payout, AccessRevoked):
        return Ignored("access_revoked")
    return await look_into(payouts, organization, account, owner, payout)


async def _look_at_line(
    payouts: Payouts, organization: str, account: str, transaction: str, owner: Owner
) -> SeenPayout | SeenFee | Ignored | None:
    line = await stripe_balance.fetch_line(payouts.stripe, account, transaction)
    if isinstance(line, Missing):
        return Ignored("not_found")
    if isinstance(line, AccessRevoked):
        return Ignored("access_revoked")
    if decisions.is_account_level(line):
        return SeenFee(line, owner)
    if line.source.startswith("po_"):
        return await look_at(payouts, organization, account, line.source)
    return None  # A gift's: payments books it.


async def look_into(
    payouts: Payouts, organization: str, account: str, owner: Owner, payout: Payout
) -> SeenPayout:
    """The payout with the lines that it is made of, unless it was split before."""
    currency, moved_at = payout.line.currency, payout.line.created
    async with tenant(payouts.pool, organization) as connection:
        if await splits.rule_of(connection, organization, payout.id) is not None:
            return SeenPayout(payout, owner, (), None, {})
        first = await splits.split_until(connection, organization, account, currency, moved_at)
    if payout.automatic:
        listed = await stripe_balance.lines_of_payout(payouts.stripe, account, payout.id)
        lines = [line for line in listed if line.id != payout.line.id]
    else:
        listed = await stripe_balance.lines_until(
            payouts.stripe, account, currency, first=first, last=moved_at
        )
        own = [line.id for line in listed].index(payout.line.id)
        lines = listed[own + 1 :]
    foreign = await _foreign(payouts, organization, account, lines)
    return SeenPayout(payout, owner, tuple(lines), first, foreign)


async def _foreign(
    payouts: Payouts, organization: str, account: str, lines: Sequence[BalanceLine]
) -> dict[str, str]:
    """Which of the lines that nobody booked are no gift's, and never will be, and the reason."""
    async with tenant(payouts.pool, organization) as connection:
        known = await splits.movements(connection, organization, [line.id for line in lines])
    foreign = {}
    for line in lines:
        if line.id in known or not line.source.startswith(OF_PAYMENTS):
            continue
        origin = await stripe_balance.fetch_origin(payouts.stripe, account, line.source)
        reason = foreign_reason(origin, organization) if origin else None
        if reason is not None:
            foreign[line.id] = reason
    return foreign


def foreign_reason(origin: Origin, organization: str) -> str | None:
    """Why a charge is no gift to the organization, as payments judges it; None if it may be one.

    A debit that the bank refused was on the balance and is taken off it again: both are nobody's.
    """
    try:
        parse_type_id("don", origin.donation or "")
    except ValueError:
        return "foreign"
    if origin.organization != organization:
        return "account_mismatch"
    return "unpaid_debit" if origin.has_failed else None
