"""Requests for money that moves without a gift: allocation, exchange, transfer, reversal.

Pure. Rules: an entry is balanced in each fund and currency by itself; what moves between funds
passes through `Equity:Allocations`, what changes its currency through `Equity:Conversion`, what
goes to another organization through `Expenses:Transfers` and `Income:Transfers`. A wrong entry is
never changed: its reversal says the opposite, is no more visible than it was, and names it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from contracts.donations import Visibility
from contracts.entries import EntryKind, EntryRequested, PostingRequested
from ledger.accounts import ASSETS
from ledger.entry import parse_time
from ledger.transfers import GIVEN, IN, OUT, RECEIVED, side_id

ALLOCATIONS: Final = "Equity:Allocations"
CONVERSION: Final = "Equity:Conversion"


class MovementError(ValueError):
    """The movement makes no sense; the message says what to change."""


class Place(NamedTuple):
    """Where money lies: an `Assets:*` account of a fund."""

    fund: str
    account: str


class Sum(NamedTuple):
    """A positive amount in minor units of a currency."""

    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Terms:
    """How an entry is shown; `details` hold ids, codes, dates and numbers, nothing personal."""

    visibility: Visibility
    public_after: datetime | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class Movement(NamedTuple):
    """What to ask the ledger for: the message's id, whose entry it is, its body."""

    id: UUID
    organization: str
    body: EntryRequested


_Line = tuple[str, int, str, str]
"""Account, minor units, currency, fund."""


def allocation(
    id: UUID,  # noqa: A002 - the field's name
    organization: str,
    source: Place,
    target: Place,
    moved: Sum,
    terms: Terms,
) -> Movement:
    """Money moves from one fund of an organization to another; raises MovementError."""
    _check_places(source, target, moved)
    lines = [
        *_move(source, ALLOCATIONS, -moved.amount_minor, moved.currency),
        *_move(target, ALLOCATIONS, moved.amount_minor, moved.currency),
    ]
    return Movement(id, organization, _body("allocation", lines, terms))


def exchange(
    id: UUID,  # noqa: A002 - the field's name
    organization: str,
    source: Place,
    sold: Sum,
    target: Place,
    bought: Sum,
    terms: Terms,
) -> Movement:
    """Money moves to a fund of another currency, at the rate that was got; raises MovementError."""
    _check_places(source, target, sold, bought)
    if sold.currency == bought.currency:
        raise MovementError("an exchange is between two currencies; this is an allocation")
    lines = [
        *_move(source, CONVERSION, -sold.amount_minor, sold.currency),
        *_move(target, CONVERSION, bought.amount_minor, bought.currency),
    ]
    return Movement(id, organization, _body("allocation", lines, terms))


def transfer(
    name: str,
    giver: str,
    source: Place,
    taker: str,
    target: Place,
    moved: Sum,
    terms: tuple[Terms, Terms],
) -> tuple[Movement, Movement]:
    """Both sides of a transfer `tra_…`; neither is recorded without the other.

    `terms` are the giver's and the taker's. Raises MovementError, and TransferError for a name that
    is none.
    """
    _check_places(source, target, moved)
    if giver == taker:
        raise MovementError("a transfer needs two organizations; within one it is an allocation")
    amount_minor, currency = moved
    out = _body(
        OUT,
        _move(source, GIVEN, -amount_minor, currency),
        terms[0],
        {"transfer": name, "to": taker},
    )
    into = _body(
        IN,
        _move(target, RECEIVED, amount_minor, currency),
        terms[1],
        {"transfer": name, "from": giver},
    )
    return Movement(side_id(name, OUT), giver, out), Movement(side_id(name, IN), taker, into)


def reversal(
    id: UUID,  # noqa: A002 - the field's name
    entry: bytes,
    money: Mapping[str, Any],
    details: Mapping[str, Any],
) -> Movement:
    """An `adjustment` that undoes an entry, shown as that entry is.

    `entry` is its stored text, `money` its money, shown or out of its opening. What is right
    instead is an entry of its own. Raises MovementError.
    """
    value: dict[str, Any] = orjson.loads(entry)
    if "money" not in value:
        raise MovementError(f"a {value['kind']} moved no money that could be reversed")
    lines = [
        (line["account"], -int(line["amount"]), line["currency"], line["fund"])
        for line in money["postings"]
    ]
    after = parse_time(value["public_after"]) if "public_after" in value else None
    terms = Terms(value["visibility"], after, details)
    body = _body("adjustment", lines, terms).model_copy(update={"ref": value["id"]})
    return Movement(id, value["org"], body)


def _check_places(source: Place, target: Place, *sums: Sum) -> None:
    if source.fund == target.fund:
        raise MovementError("money moves between two different funds")
    for place in (source, target):
        if not place.account.startswith(ASSETS):
            raise MovementError(f"{place.account} holds no money; name an {ASSETS}* account")
    if any(one.amount_minor <= 0 for one in sums):
        raise MovementError("an amount is positive; to move it back, exchange the two places")


def _move(place: Place, against: str, amount_minor: int, currency: str) -> list[_Line]:
    return [
        (place.account, amount_minor, currency, place.fund),
        (against, -amount_minor, currency, place.fund),
    ]


def _body(
    kind: EntryKind, lines: Iterable[_Line], terms: Terms, fixed: Mapping[str, Any] | None = None
) -> EntryRequested:
    return EntryRequested(
        kind=kind,
        visibility=terms.visibility,
        public_after=terms.public_after,
        postings=tuple(
            PostingRequested(account=account, amount=str(amount), currency=currency, fund=fund)
            for account, amount, currency, fund in lines
        ),
        details={**terms.details, **(fixed or {})} or None,
    )
