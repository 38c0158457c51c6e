"""What a booking becomes: balanced entries, and what they take from where. Pure: nothing looked up.

Rules: amounts are in the fund's own currency; each entry is balanced in each fund; whatever leaves
an account of a fund is counted before it is asked for, so that none is overdrawn.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from contracts.donations import SealedDonor
from contracts.entries import EntryKind, EntryRequested, PostingRequested
from contracts.identifiers import caused_id, type_id
from contracts.message import Envelope
from contracts.money import spell
from edge.bookings.models import (
    Allocation,
    Correction,
    Expense,
    OfflineDonation,
    Simple,
    TransferIn,
    TransferOut,
)
from edge.donations.models import Donor
from edge.errors import ProblemError
from ledger import movements
from ledger.accounts import ASSETS
from ledger.movements import Movement, Place, Sum, Terms

_ACCOUNTS: Final = {"bank": "Assets:Bank", "cash": "Assets:Cash"}
#: Kind of booking -> kind of entry, the account against that of the fund, and the way it moves.
_SIMPLE: Final[dict[str, tuple[EntryKind, str, int]]] = {
    "grant_out": ("expense", "Expenses:Grants", -1),
    "grant": ("grant", "Income:Grants", 1),
    "interest": ("interest", "Income:Interest", 1),
    "offline_donation": ("offline_donation", "Income:Donations", 1),
}
_PROGRAM: Final = "Expenses:Program"
#: What a reversal keeps of what it undoes, so that figures of projects and campaigns follow.
_KEPT: Final = ("project", "campaign")

_Line = tuple[str, int, str]
"""Account, minor units, fund."""


@dataclass(frozen=True, slots=True)
class FundTerms:
    """A fund as a booking needs it: its currency, and how its entries are shown."""

    id: str
    currency: str
    is_active: bool
    terms: Terms


@dataclass(frozen=True, slots=True)
class Setting:
    """Whose booking it is, under which id, and the funds that it names."""

    id: UUID
    organization: str
    funds: Mapping[str, FundTerms]
    donation: str | None = None
    donor: SealedDonor | None = None

    @property
    def booking(self) -> str:
        """The booking's id as the API spells it."""
        return type_id("book", self.id)

    def fund(self, name: str, currency: str, param: str = "fund") -> FundTerms:
        """A fund that can be booked to; ProblemError 422."""
        fund = self.funds.get(name)
        if fund is None or not fund.is_active:
            raise ProblemError("fund_unknown", param=param)
        if fund.currency != currency:
            detail = f"The fund holds {fund.currency}, not {currency}."
            raise ProblemError("currency_mismatch", detail, param="currency")
        return fund


@dataclass(frozen=True, slots=True)
class Outflow:
    """Minor units that leave an account of a fund."""

    fund: str
    account: str
    minor: int


def movement_of(asked: Simple, setting: Setting, id_: UUID | None = None) -> Movement:
    """The entry that a booking of one organization asks for; ProblemError 422."""
    fund = setting.fund(asked.fund, asked.currency)
    identifier = id_ or setting.id
    details = details_of(asked, setting)
    terms = Terms(fund.terms.visibility, fund.terms.public_after, details)
    if isinstance(asked, Allocation):
        if asked.to_fund == asked.fund:
            raise ProblemError("fund_unknown", "Name another fund.", param="to_fund")
        target = setting.fund(asked.to_fund, asked.currency, "to_fund")
        places = place_of(asked), Place(target.id, _ACCOUNTS[asked.account])
        moved = Sum(asked.amount_minor, asked.currency)
        return movements.allocation(identifier, setting.organization, *places, moved, terms)
    kind, lines = _lines(asked)
    subject, donor = setting.booking, None
    if isinstance(asked, OfflineDonation):
        subject, donor = setting.donation or setting.booking, setting.donor
    body = EntryRequested(
        kind=kind,
        visibility=terms.visibility,
        public_after=terms.public_after,
        subject=subject,
        postings=tuple(
            PostingRequested(account=account, amount=str(minor), currency=asked.currency, fund=name)
            for account, minor, name in lines
        ),
        details=dict(details),
        donor=donor,
    )
    return Movement(identifier, setting.organization, body)


def _lines(asked: Simple) -> tuple[EntryKind, list[_Line]]:
    held = _ACCOUNTS[account_of(asked)]
    if isinstance(asked, Expense):
        purposes: dict[str, int] = {}
        for line in asked.lines:
            account = f"{_PROGRAM}:{line.purpose}" if line.purpose else _PROGRAM
            purposes[account] = purposes.get(account, 0) + line.amount_minor
        spent = [(account, minor, asked.fund) for account, minor in purposes.items()]
        return "expense", [(held, -amount_of(asked), asked.fund), *spent]
    assert not isinstance(asked, Allocation), "it has places of its own"
    kind, account, way = _SIMPLE[asked.kind]
    minor = way * asked.amount_minor
    return kind, [(held, minor, asked.fund), (account, -minor, asked.fund)]


def donor_of(asked: Any) -> Donor | None:
    """Who gave, if a booking says so: then its request is kept by the gift, and forgotten so."""
    if isinstance(asked, Correction):
        asked = asked.replacement
    return asked.donor if isinstance(asked, OfflineDonation) else None


def account_of(asked: Simple | TransferOut | TransferIn) -> str:
    """Where the money of the fund lies: a cash gift is in the cash box whatever else is said."""
    if isinstance(asked, OfflineDonation):
        return "cash" if asked.method == "cash" else "bank"
    return asked.account


def place_of(asked: Simple | TransferOut | TransferIn) -> Place:
    """The account of the fund that a booking names."""
    return Place(asked.fund, _ACCOUNTS[account_of(asked)])


def amount_of(asked: Simple | TransferOut | TransferIn) -> int:
    """What a booking is about, in minor units."""
    if isinstance(asked, Expense):
        return sum(line.amount_minor for line in asked.lines)
    return asked.amount_minor


def details_of(asked: Simple | TransferOut | TransferIn, setting: Setting) -> dict[str, Any]:
    """What the entry says beside its money: ids, codes, dates and numbers."""
    details: dict[str, Any] = {"booking": setting.booking}
    for name in ("reference", "project", "campaign", "method"):
        if (value := getattr(asked, name, None)) is not None:
            details[name] = value
    if asked.occurred_on is not None:
        details["occurred"] = f"{asked.occurred_on}T00:00:00.000000Z"
    return details


def reversal_of(
    setting: Setting, entry: bytes, money: Mapping[str, Any], details: Mapping[str, Any]
) -> Movement:
    """The entry that undoes one that was recorded."""
    kept = {name: details[name] for name in _KEPT if name in details}
    made = movements.reversal(setting.id, entry, money, {"booking": setting.booking, **kept})
    body = made.body.model_copy(update={"subject": setting.booking})
    return Movement(made.id, made.organization, body)


def replacement_id(booking: UUID) -> UUID:
    """The id of the entry that is right instead."""
    return caused_id(booking, "replacement")


def outflows_of(organization: str, made: Iterable[Movement]) -> list[Outflow]:
    """What the entries of an organization take from accounts, all of them together."""
    sums: dict[tuple[str, str], int] = {}
    for movement in made:
        for posting in movement.body.postings or ():
            if movement.organization == organization and posting.account.startswith(ASSETS):
                key = posting.fund, posting.account
                sums[key] = sums.get(key, 0) + int(posting.amount)
    return [Outflow(*key, -minor) for key, minor in sorted(sums.items()) if minor < 0]


def check_outflow(outflow: Outflow, available_minor: int, currency: str) -> None:
    """ProblemError 409 when an account of a fund does not hold what shall leave it."""
    if outflow.minor > available_minor:
        held = spell(max(0, available_minor), currency)
        detail = f"{outflow.account} of {outflow.fund} has {held} that is not booked already."
        raise ProblemError("fund_overdrawn", detail, param="amount_minor")


def envelopes(made: Sequence[Movement], topic: str, now: Any) -> list[Envelope[EntryRequested]]:
    """The messages that ask for entries."""
    return [Envelope(each.id, topic, now, each.organization, None, each.body) for each in made]


def entry_ids(organization: str, made: Iterable[Movement]) -> list[str]:
    """The entries of the organization's own ledger."""
    return [type_id("ent", each.id) for each in made if each.organization == organization]


def money_of(entry: bytes, opening: bytes | None) -> dict[str, Any]:
    """An entry's money, shown or out of its opening."""
    return _section(entry, "money", opening)


def details_in(entry: bytes, opening: bytes | None) -> dict[str, Any]:
    """An entry's details, shown or out of their opening."""
    return _section(entry, "details", opening)


def _section(entry: bytes, name: str, opening: bytes | None) -> dict[str, Any]:
    shown: dict[str, Any] = orjson.loads(entry).get(name) or {}
    if "sealed" in shown:
        assert opening is not None, "the organization's own openings of money and details are kept"
        shown = orjson.loads(opening)["value"]
    return shown
