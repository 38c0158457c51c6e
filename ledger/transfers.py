"""Transfers between two organizations: two entries with one reference, in the log both or neither.

Rules: `details.transfer` (a TypeID `tra_…`) is the same on both sides, and the ids of both entries
derive from it, so that each side knows the other; `details.to` and `details.from` name the other
organization; what one gives (`Expenses:Transfers`) is what the other receives (`Income:Transfers`),
currency by currency.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from amply_verify.money import Line
from contracts.identifiers import business_id, parse_type_id, time_of, type_id
from ledger.entry import Request

OUT: Final = "transfer_out"
IN: Final = "transfer_in"
KINDS: Final = frozenset((OUT, IN))
GIVEN: Final = "Expenses:Transfers"
RECEIVED: Final = "Income:Transfers"

Postings = Iterable[tuple[Line, int]]


class TransferError(ValueError):
    """A request is no side of a transfer, or two are not of one. The message says why."""


def side_id(transfer: str, kind: str) -> UUID:
    """The message id of a side; `transfer` is a `tra_…`. Raises TransferError."""
    try:
        return business_id(time_of(parse_type_id("tra", transfer)), f"{transfer}:{kind}")
    except (ValueError, OverflowError) as error:
        raise TransferError("details.transfer is no id of the form tra_…") from error


def other_side(request: Request) -> str:
    """The id of the other side's entry; raises TransferError when the request is no side."""
    transfer = (request.details or {}).get("transfer")
    if not isinstance(transfer, str):
        raise TransferError("a transfer needs details.transfer, the same on both sides")
    if request.id != type_id("ent", side_id(transfer, request.kind)):
        raise TransferError("the entry's id does not derive from details.transfer")
    return type_id("ent", side_id(transfer, IN if request.kind == OUT else OUT))


def in_order(one: Request, other: Request) -> tuple[Request, Request]:
    """The side that gives, then the side that receives."""
    return (one, other) if one.kind == OUT else (other, one)


def check(giver: Request, given: Postings, taker: Request, taken: Postings) -> None:
    """Whether two sides are of one transfer; raises TransferError."""
    if giver.organization == taker.organization:
        raise TransferError("a transfer needs two organizations; within one it is an allocation")
    names = (giver.details or {}).get("to"), (taker.details or {}).get("from")
    if names != (taker.organization, giver.organization):
        raise TransferError("details.to and details.from do not name the two organizations")
    out_minor, in_minor = _sums(given, GIVEN, 1), _sums(taken, RECEIVED, -1)
    if not out_minor or out_minor != in_minor:
        raise TransferError("what is given and what is received are not the same amounts")


def _sums(postings: Postings, account: str, sign: int) -> dict[str, int]:
    """Minor units by currency, without zeros."""
    sums: Counter[str] = Counter()
    for line, amount_minor in postings:
        if line.account == account:
            sums[line.currency] += sign * amount_minor
    return {currency: amount for currency, amount in sums.items() if amount}
