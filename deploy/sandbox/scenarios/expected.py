"""The ledger that must follow from what happened at Stripe: entries and balances, to the cent.

Computed from the sandbox's own objects by the rules below and nothing else; no code is shared with
whoever books, so that the two can be compared. S is the balance transaction's currency, P the
donor's. Positive is debit. Every entry is balanced in each currency.

| entry | from | postings |
| --- | --- | --- |
| `donation` | a charge that succeeded | Stripe +net, each fee +, income and conversion |
| `refund`, `refund_failed` | a refund's movement, its return | the same |
| `dispute_withdrawn` | a dispute's withdrawal | Stripe +net, DisputeFees +fee, Disputed -amount |
| `dispute_reinstated` | its reversal | the same; what rates made of it is Conversion's |
| `adjustment` | a dispute that was lost; one that was won after it | Disputed to income; back |
| `payout`, `payout_failed` | a payout that ended, its return | Stripe +net, Bank -amount |
| `fee` | a fee of the account | Stripe +net, ProcessorFees -net |

What came in or went out is Income in P, by the charge's or refund's own amount; if S is not P,
Conversion stands between the two.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from deploy.sandbox.scenarios.observing import Happened
from deploy.sandbox.scenarios.story import minor

Body = Mapping[str, Any]
Line = tuple[str, str, int]

STRIPE: Final = "Assets:Stripe"
BANK: Final = "Assets:Bank"
DISPUTED: Final = "Assets:Disputed"
CONVERSION: Final = "Equity:Conversion"
INCOME: Final = "Income:Donations"
PROCESSOR_FEES: Final = "Expenses:ProcessorFees"
PLATFORM_FEES: Final = "Expenses:PlatformFees"
DISPUTE_FEES: Final = "Expenses:DisputeFees"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; amounts by account and ISO currency, in ISO minor units; none is zero."""

    kind: str
    about: str
    postings: dict[tuple[str, str], int]


def ledger(happened: Happened) -> list[Entry]:
    """The entries that must follow, in the order of the money's movements."""
    return [entry for moved in happened.movements for entry in _entries(happened, moved)]


def balances(entries: list[Entry]) -> dict[str, dict[str, int]]:
    """Account -> currency -> sum; what is zero is left out."""
    lines = [(*key, amount) for entry in entries for key, amount in entry.postings.items()]
    found: dict[str, dict[str, int]] = {}
    for (account, currency), amount in sorted(_sum(lines).items()):
        found.setdefault(account, {})[currency] = amount
    return found


def _entries(happened: Happened, moved: Body) -> Iterator[Entry]:
    category = moved["reporting_category"]
    if category in ("fee", "tax"):
        cost = -moved["net"]
        yield _entry(
            "fee", category, [_line(moved, STRIPE, "net"), _of(moved, PROCESSOR_FEES, cost)]
        )
    about = happened.objects.get(moved["source"])
    if about is None:
        return
    name = happened.named[moved["source"]]
    stripe = _line(moved, STRIPE, "net")
    if category == "charge" and about["status"] == "succeeded":
        yield _entry("donation", name, [stripe, *_fees(moved), *_income(moved, about, 1)])
    elif category == "refund":
        yield _entry("refund", name, [stripe, *_fees(moved), *_income(moved, about, -1)])
    elif category == "refund_failure":
        yield _entry("refund_failed", name, [stripe, *_fees(moved), *_income(moved, about, 1)])
    elif category == "payout" and about["status"] in ("paid", "failed", "canceled"):
        yield _entry("payout", name, [stripe, *_fees(moved), _of(moved, BANK, -moved["amount"])])
    elif category == "payout_reversal":
        back = [stripe, *_fees(moved), _of(moved, BANK, -moved["amount"])]
        yield _entry("payout_failed", name, back)
    elif category in ("dispute", "dispute_reversal"):
        yield from _dispute(happened, moved, about, name)


def _dispute(happened: Happened, moved: Body, dispute: Body, name: str) -> Iterator[Entry]:
    """The movement's entry and, after it, what became of the disputed money for good."""
    statuses = happened.statuses.get(dispute["id"], [])
    was_lost = bool(statuses) and statuses[0] in ("lost", "prevented")
    fee = _line(moved, DISPUTE_FEES, "fee")
    lines = [_line(moved, STRIPE, "net"), fee]
    [taken, *_] = dispute["balance_transactions"]
    if moved["reporting_category"] == "dispute":
        yield _entry("dispute_withdrawn", name, [*lines, _of(moved, DISPUTED, -moved["amount"])])
        if was_lost:
            yield _entry("adjustment", name, _written_off(taken, dispute, 1))
        return
    lines.append(_of(moved, DISPUTED, taken["amount"]))
    lines.append(_of(moved, CONVERSION, -taken["amount"] - moved["amount"]))
    yield _entry("dispute_reinstated", name, lines)
    if was_lost:
        yield _entry("adjustment", name, _written_off(taken, dispute, -1))


def _written_off(taken: Body, dispute: Body, sign: int) -> list[Line]:
    disputed = _of(taken, DISPUTED, sign * taken["amount"])
    lost = {"currency": taken["currency"], "amount": sign * taken["amount"]}
    return [disputed, *_income(lost, dispute, -sign)]


def _income(moved: Body, about: Body, sign: int) -> list[Line]:
    """Against a movement: `sign` 1 for money that came in, -1 for money that left."""
    settled, presented = moved["currency"], about["currency"]
    given = about["amount_captured"] if about["object"] == "charge" else about["amount"]
    gift = (INCOME, presented, -sign * given)
    if settled == presented:
        return [gift]
    return [
        gift,
        (CONVERSION, presented, sign * given),
        (CONVERSION, settled, -moved["amount"]),
    ]


def _fees(moved: Body) -> list[Line]:
    return [
        _of(
            moved,
            PLATFORM_FEES if part["type"] == "application_fee" else PROCESSOR_FEES,
            part["amount"],
        )
        for part in moved["fee_details"]
    ]


def _line(moved: Body, account: str, what: str) -> Line:
    return _of(moved, account, moved[what])


def _of(moved: Body, account: str, amount: int) -> Line:
    return account, moved["currency"], amount


def _entry(kind: str, about: str, lines: list[Line]) -> Entry:
    """`lines` are Stripe's: its currencies, its integers."""
    booked = _sum([(name, code.upper(), minor(amount, code)) for name, code, amount in lines])
    for currency in {code for _, code in booked}:
        left = sum(amount for (_, code), amount in booked.items() if code == currency)
        if left:
            raise ValueError(f"the {kind} of {about} is out of balance by {left} {currency}")
    return Entry(kind, about, booked)


def _sum(lines: list[Line]) -> dict[tuple[str, str], int]:
    sums: dict[tuple[str, str], int] = {}
    for account, currency, amount in lines:
        sums[account, currency] = sums.get((account, currency), 0) + amount
    return {key: amount for key, amount in sums.items() if amount}
