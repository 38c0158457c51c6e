"""Which movements a payout carries, and what that is for each fund. Pure.

Rules: the parts sum to what the payout took from the balance, to the minor unit; a movement is
carried once, whole or in parts; the answer depends on nothing but what Stripe shows, so that it is
the same in whatever order and how often payouts are looked at.

An automatic payout is what Stripe lists for it. Where that list names another payout, its money
comes back into this one: then the movements that it carried are meant, with the sign turned.

Stripe cannot itemise a manual payout: the oldest money leaves first. What lowered the balance
before the payout (refunds, disputes, fees) is in it whole; the income that this and the payout
need is taken from the oldest on, of the last one a part. A payout of all income and more than the
balance, since what lowers it is not due yet, carries of that the oldest, and leaves the rest.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

Rule = Literal["itemised", "first_in_first_out"]
#: The fund of money that is no fund's: of another shop on the same account.
FOREIGN: Final = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A movement of one fund, or what of it is meant; signed as its net, in minor units."""

    balance_transaction: str
    fund: str
    category: str
    source: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Open:
    """A movement of which some is not paid out yet, and when Stripe made it."""

    part: Part
    occurred_at: datetime


class DoesNotAddUpError(ValueError):
    """The movements known cannot be what the payout carried."""


def itemise(
    lines: Iterable[tuple[str, str, str]],
    movements: Mapping[str, Sequence[Part]],
    payouts: Mapping[str, Sequence[Part]],
    total_minor: int,
) -> list[Part]:
    """The parts of an automatic payout of `total_minor` (its fee included).

    `lines` are Stripe's (balance transaction, category, source) but for the payout's own;
    `movements` has their parts by balance transaction, `payouts` the parts of other payouts by id.
    """
    parts: list[Part] = []
    for transaction, category, source in lines:
        if source in payouts:
            sign = -1 if category == "payout" else 1
            parts += [
                replace(part, amount_minor=sign * part.amount_minor) for part in payouts[source]
            ]
        else:
            parts += movements[transaction]
    return _checked(merge(parts), total_minor)


def first_in_first_out(open_: Iterable[Open], total_minor: int) -> list[Part]:
    """The parts of a manual payout of `total_minor`, out of what is not paid out yet."""
    ordered = [
        each.part
        for each in sorted(
            open_, key=lambda one: (one.occurred_at, one.part.balance_transaction, one.part.fund)
        )
    ]
    lowering = [part for part in ordered if part.amount_minor < 0]
    income = [part for part in ordered if part.amount_minor > 0]
    if sum(part.amount_minor for part in ordered) < total_minor:
        taken = income
        taken += _up_to(lowering, total_minor - sum(part.amount_minor for part in income))
    else:
        taken = lowering
        taken += _up_to(income, total_minor - sum(part.amount_minor for part in lowering))
    return _checked(taken, total_minor)


def _up_to(parts: Iterable[Part], needed_minor: int) -> Iterator[Part]:
    """The first of the parts, which all have one sign, of the last one as much as is needed."""
    for part in parts:
        if part.amount_minor * needed_minor <= 0:
            return
        amount = min(part.amount_minor, needed_minor, key=abs)
        yield replace(part, amount_minor=amount)
        needed_minor -= amount


def merge(parts: Iterable[Part]) -> list[Part]:
    """One part for each movement and fund; those that cancel out are left out."""
    sums: dict[tuple[str, str], Part] = {}
    for part in parts:
        name = (part.balance_transaction, part.fund)
        known = sums.get(name)
        amount = part.amount_minor + (known.amount_minor if known else 0)
        sums[name] = replace(known or part, amount_minor=amount)
    return [part for part in sums.values() if part.amount_minor]


def shares(parts: Iterable[Part]) -> dict[str, int]:
    """What of a payout is each fund's, in the funds' order; money of no fund under FOREIGN."""
    sums: dict[str, int] = {}
    for part in parts:
        sums[part.fund] = sums.get(part.fund, 0) + part.amount_minor
    return {fund: sums[fund] for fund in sorted(sums) if sums[fund]}


def allot(amount_minor: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Divide an amount in proportion to the positive weights, the rest by largest remainder.

    Without a positive weight the first name bears it all.
    """
    if not amount_minor or not weights:
        return dict.fromkeys(weights, 0)
    positive = {name: max(weight, 0) for name, weight in weights.items()}
    whole = sum(positive.values())
    if not whole:
        first = min(weights)
        return {name: amount_minor if name == first else 0 for name in weights}
    sign, size = (1, amount_minor) if amount_minor > 0 else (-1, -amount_minor)
    divided = {name: divmod(size * weight, whole) for name, weight in positive.items()}
    left = size - sum(quotient for quotient, _ in divided.values())
    by_remainder = sorted(divided, key=lambda name: (-divided[name][1], name))
    more = set(by_remainder[:left])
    return {name: sign * (divided[name][0] + (name in more)) for name in weights}


def _checked(parts: list[Part], total_minor: int) -> list[Part]:
    found = sum(part.amount_minor for part in parts)
    if found != total_minor:
        raise DoesNotAddUpError(f"the movements known add up to {found}, not {total_minor}")
    return parts
