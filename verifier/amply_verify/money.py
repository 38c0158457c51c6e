"""Money (section 4): postings in minor units that sum to zero per currency and fund.

Amounts are signed decimal strings of at most 18 digits, debit positive. Sums are Python integers
and therefore exact at any size.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from amply_verify.errors import MoneyError

_AMOUNT = re.compile(r"-?[1-9][0-9]{0,17}").fullmatch
_CURRENCY = re.compile(r"[A-Z]{3}").fullmatch
_FUND = re.compile(r"fund_[0-7][0-9a-hjkmnp-tv-z]{25}").fullmatch
_ACCOUNT = re.compile(
    r"(?:Assets|Liabilities|Equity|Income|Expenses)(?::[A-Z][A-Za-z0-9-]*)+"
).fullmatch
_POSTING = "a posting has account, amount, currency, fund and nothing else"

Pair = tuple[str, str]
"""(fund, currency): what postings balance in."""


class Line(NamedTuple):
    """What a posting posts to, and the key of a balance."""

    fund: str
    account: str
    currency: str


class Postings(NamedTuple):
    """A valid money section: each line with its amount in minor units, and the pairs it touches."""

    amounts_minor: list[tuple[Line, int]]
    pairs: tuple[Pair, ...]


class MoneyReader:
    """Reads money sections; names that passed once are not looked at again.

    Entries repeat a handful of names for ever, so use one reader for many entries. It keeps one
    `Line` for each different one that it met.
    """

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str, str], tuple[Line, Pair]] = {}

    def parse(self, section: object) -> Postings:
        """The postings of a money section; raises MoneyError when section 4 is broken."""
        if type(section) is not dict or len(section) != 1:
            raise MoneyError("money holds postings and nothing else")
        items = section.get("postings")
        if type(items) is not list or len(items) < 2:
            raise MoneyError("money holds a list of at least two postings")
        amounts_minor: list[tuple[Line, int]] = []
        sums: dict[Pair, int] = {}
        for item in items:
            try:
                names = (item["fund"], item["account"], item["currency"])
                amount = item["amount"]
            except (KeyError, TypeError) as error:
                raise MoneyError(_POSTING) from error
            if type(item) is not dict or len(item) != 4:
                raise MoneyError(_POSTING)
            if type(amount) is not str or _AMOUNT(amount) is None:
                raise MoneyError("an amount is a whole number of minor units in a string, not zero")
            try:
                line, pair = self._lines[names]
            except (KeyError, TypeError):
                line, pair = self._line(*names)
            amount_minor = int(amount)
            amounts_minor.append((line, amount_minor))
            sums[pair] = sums.get(pair, 0) + amount_minor
        if any(sums.values()):
            fund, currency = next(pair for pair, total in sums.items() if total)
            raise MoneyError(f"the postings do not sum to zero in {currency} of {fund}")
        return Postings(amounts_minor, tuple(sums))

    def _line(self, fund: object, account: object, currency: object) -> tuple[Line, Pair]:
        if type(currency) is not str or _CURRENCY(currency) is None:
            raise MoneyError("a currency is three capital letters")
        if type(fund) is not str or _FUND(fund) is None:
            raise MoneyError("a fund is fund_ and a TypeID suffix")
        if type(account) is not str or _ACCOUNT(account) is None:
            raise MoneyError("an account is a type and names, like Assets:Bank")
        line = Line(fund, account, currency)
        self._lines[line] = line, (fund, currency)
        return self._lines[line]


def parse_postings(section: object) -> Postings:
    """The postings of one money section; raises MoneyError."""
    return MoneyReader().parse(section)


def add_up(sums: Iterable[Mapping[Line, int]]) -> dict[Line, int]:
    """Several sums by line as one, sorted by line."""
    total: dict[Line, int] = {}
    for part in sums:
        for line, amount_minor in part.items():
            total[line] = total.get(line, 0) + amount_minor
    return dict(sorted(total.items()))
