"""Inside the transaction: split what was seen, book it once, ask for what it waits for.

A payout waits while a line of it is not booked: its looks are asked for, it is tried again, and it
is seen waiting meanwhile. What is known of it is kept each time.
"""

from collections.abc import Sequence
from typing import Final

from contracts.looks import PaymentLookRequested, PayoutLookRequested
from contracts.message import Body, Envelope
from topics import registry
from workers.gateways.stripe_balance import BalanceLine
from workers.payouts import decisions, splitting
from workers.payouts.decisions import Booked, Owner
from workers.payouts.looking import SeenFee, SeenPayout
from workers.payouts.splitting import FOREIGN, DoesNotAddUpError, Part, Rule
from workers.payouts.store import booking, splits
from workers.runtime.worker import Refused, Transaction

#: A payout of thousands of lines that nobody booked asks for them in groups, a look at a time.
LOOKS_AT_ONCE: Final = 100


async def record_payout(
    message: Envelope[Body], account: str, seen: SeenPayout, transaction: Transaction
) -> None:
    """Remember the payout; split it if its lines are known; book it if it ended."""
    connection, organization, payout = transaction.connection, message.organization, seen.payout
    await booking.see(connection, organization, account, payout)
    rule = await splits.rule_of(connection, organization, payout.id)
    if rule is None:
        rule = await _split(message, account, seen, transaction)
    if rule is None or payout.status in ("pending", "in_transit"):
        return
    split = (await splits.splits(connection, organization, [payout.id]))[payout.id]
    shares = splitting.shares(split.parts)
    paid = decisions.book_payout(account, payout, seen.owner, shares, rule)
    await _book(message, account, paid, transaction)
    await _note_foreign(message, account, payout.line, -shares.get(FOREIGN, 0), transaction)
    if payout.status == "paid":
        return
    if payout.failure_line is None:
        await splits.wait(connection, organization, payout.id, 1)  # Stripe has it in a moment.
        return
    failure = decisions.book_failure(account, payout, seen.owner, shares, rule)
    await _book(message, account, failure, transaction)
    returned = payout.failure_line.net_minor - sum(row.net_minor for row in failure.movements)
    await _note_foreign(message, account, payout.failure_line, returned, transaction)
    if split.returned_at is None:
        returned_at = payout.failure_line.created
        await splits.give_back(connection, organization, payout.id, returned_at)


async def record_fee(
    message: Envelope[Body], account: str, seen: SeenFee, transaction: Transaction
) -> None:
    """Book a line of the account that no gift and no payout caused."""
    await _book_fee(message, account, seen.line, seen.owner, transaction)


async def _split(
    message: Envelope[Body], account: str, seen: SeenPayout, transaction: Transaction
) -> Rule | None:
    """Keep how the payout is split; None, and what is missing is asked for, while it cannot be."""
    connection, organization, payout = transaction.connection, message.organization, seen.payout
    for line in seen.lines:
        if decisions.is_account_level(line):
            await _book_fee(message, account, line, seen.owner, transaction)
        elif line.id in seen.foreign:
            reason = seen.foreign[line.id]
            await booking.note_foreign(
                connection, organization, account, line, line.net_minor, reason
            )
    identifiers = [line.id for line in seen.lines]
    known = await splits.movements(connection, organization, identifiers)
    sources = {line.source for line in seen.lines if line.source.startswith("po_")}
    others = await splits.splits(connection, organization, sources)
    missing = [line for line in seen.lines if not _is_known(line, known, others)]
    try:
        if missing:
            raise DoesNotAddUpError("lines are missing")
        rule, parts = await _parts(organization, account, seen, known, others, transaction)
    except DoesNotAddUpError:
        await splits.wait(connection, organization, payout.id, len(missing))
        _ask_for(message, account, missing, transaction)
        return None
    foreign_minor = splitting.shares(parts).get(FOREIGN, 0)
    currency = payout.line.currency
    await splits.keep_split(
        connection, organization, account, payout.id, currency, rule, parts, foreign_minor
    )
    return rule


def _is_known(
    line: BalanceLine, known: dict[str, list[Part]], others: dict[str, splits.Split]
) -> bool:
    if line.source.startswith("po_"):
        other = others.get(line.source)
        is_back = other is not None and other.returned_at is not None
        return is_back if line.category == "payout_reversal" else other is not None
    return line.id in known or not line.net_minor


async def _parts(
    organization: str,
    account: str,
    seen: SeenPayout,
    known: dict[str, list[Part]],
    others: dict[str, splits.Split],
    transaction: Transaction,
) -> tuple[Rule, list[Part]]:
    payout = seen.payout
    total_minor = -payout.line.net_minor
    if payout.automatic:
        lines = [(line.id, line.category, line.source) for line in seen.lines if line.net_minor]
        of_payouts = {name: split.parts for name, split in others.items()}
        return "itemised", splitting.itemise(lines, known, of_payouts, total_minor)
    unpaid = await splits.unpaid(
        transaction.connection,
        organization,
        account,
        payout.line.currency,
        payout.id,
        seen.first,
        [line.id for line in seen.lines],
    )
    return "first_in_first_out", splitting.first_in_first_out(unpaid, total_minor)


async def _book_fee(
    message: Envelope[Body],
    account: str,
    line: BalanceLine,
    owner: Owner,
    transaction: Transaction,
) -> None:
    if line.currency not in owner.funds:
        raise Refused("no_default_fund", f"no default fund bears fees in {line.currency}")
    fund = owner.funds[line.currency]
    await _book(message, account, decisions.book_fee(account, line, owner, fund), transaction)


async def _book(
    message: Envelope[Body], account: str, booked: Booked, transaction: Transaction
) -> None:
    connection = transaction.connection
    if await booking.note_movements(connection, message.organization, account, booked):
        transaction.send(
            registry.ENTRIES_REQUESTED,
            booked.entry,
            cause=message,
            id=booked.id,
            time=booked.time,
        )


async def _note_foreign(
    message: Envelope[Body],
    account: str,
    line: BalanceLine,
    net_minor: int,
    transaction: Transaction,
) -> None:
    if net_minor:
        connection, organization = transaction.connection, message.organization
        await booking.note_foreign(connection, organization, account, line, net_minor, "foreign")


def _ask_for(
    message: Envelope[Body],
    account: str,
    missing: Sequence[BalanceLine],
    transaction: Transaction,
) -> None:
    sources = sorted({line.source for line in missing})[:LOOKS_AT_ONCE]
    for number, source in enumerate(sources):
        found = {"account": account, "object": source, "reason": "unbooked_movement"}
        if source.startswith("po_"):
            look = PayoutLookRequested.model_validate(found)
            transaction.send(registry.PAYOUTS_LOOK_REQUESTED, look, cause=message, ordinal=number)
        else:
            ask = PaymentLookRequested.model_validate(found)
            transaction.send(registry.PAYMENTS_LOOK_REQUESTED, ask, cause=message, ordinal=number)
