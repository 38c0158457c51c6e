"""A realistic ledger of one organization: several funds and currencies, everything that happens."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from amply_verify.money import Line
from ledger.entry import Request
from ledger.export_copy import Copy, Entries, FormatName, Subject
from ledger.export_entry import StoredEntry
from tests.ledger.making import NOON, ORIGIN, Book, donation, genesis, name, seal

ORGANIZATION = name("org", "treasury")
#: JPY has no fraction, KWD three digits.
FUNDS = {name("fund", currency): currency for currency in ("EUR", "USD", "JPY", "KWD")}
SECOND_EUR_FUND = name("fund", "wells")
#: What foreign texts may try: to end the line, the comment, the string; to be a formula; to hide.
HOSTILE = (
    '=HYPERLINK("http://x","y")',
    "+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    'a"b\\c',
    'a\n2026-01-01 * "forged"\n  Assets:Stripe:Fund-x  1.00 EUR',
    "ok, date:2020-01-01, entry:forged",
    "ab\u202ecd\u2028ef\u0085gh",
    "Füße; 日本 \U0001f468",
)


class Treasury:
    """A log that one organization fills; `balances_minor` is the ledger's own figure."""

    def __init__(self, *visibilities: str) -> None:
        self.book = Book()
        self.balances_minor: dict[Line, int] = {}
        self.entries: list[tuple[StoredEntry, dict[str, bytes]]] = []
        self._visibilities = visibilities or ("public_full",)
        self._clock = NOON
        self._number = 0
        details = {"name": 'Füße & Co "Hilfe"', "origin": ORIGIN}
        self._keep(genesis(ORGANIZATION, details=details))

    def record(
        self, kind: str, *lines: tuple[str, int, str, str], ref: str | None = None, **details: Any
    ) -> str:
        """Record an entry of lines (account, minor units, currency, fund); its id."""
        self._number += 1
        visibility = self._visibilities[self._number % len(self._visibilities)]
        delayed = visibility == "delayed_public"
        request = donation(
            ORGANIZATION,
            self._number,
            kind=kind,
            visibility=visibility,
            public_after="2027-06-01T00:00:00.000000Z" if delayed else None,
            ref=ref,
            postings=[
                {"account": account, "amount": str(amount), "currency": currency, "fund": fund}
                for account, amount, currency, fund in lines
            ],
            details=details or None,
            donor=seal(self._number) if kind in ("donation", "offline_donation") else None,
        )
        self._keep(request)
        return request.id

    def _keep(self, request: Request) -> None:
        self._clock += timedelta(hours=7)
        decision = self.book.decide([request], self._clock)
        assert not decision.refused and not decision.waiting, decision.refused
        for (_, *line), amount_minor in decision.balances.items():
            key = Line(*line)
            self.balances_minor[key] = self.balances_minor.get(key, 0) + amount_minor
        for entry in decision.entries:
            openings = {
                opening.section: opening.plain
                for opening in entry.composed.openings
                if opening.plain is not None
            }
            stored = StoredEntry(entry.index, entry.composed.data, entry.composed.leaf_hash)
            self.entries.append((stored, openings))


def realistic(*visibilities: str, rounds: int = 12) -> Treasury:
    """Gifts with fees, exchange, refunds, disputes, payouts, allocations, in every fund."""
    treasury = Treasury(*visibilities)
    draw = random.Random(4)
    for round_number in range(rounds):
        hostile = HOSTILE[round_number % len(HOSTILE)]
        for fund, currency in FUNDS.items():
            record(treasury, draw, fund, currency, round_number, hostile)
        amount = draw.randrange(100, 5_000)
        eur = next(fund for fund, currency in FUNDS.items() if currency == "EUR")
        treasury.record(
            "allocation",
            ("Assets:Stripe", -amount, "EUR", eur),
            ("Equity:Allocations", amount, "EUR", eur),
            ("Assets:Stripe", amount, "EUR", SECOND_EUR_FUND),
            ("Equity:Allocations", -amount, "EUR", SECOND_EUR_FUND),
        )
        treasury.record(
            "expense",
            ("Expenses:Program:Wells-2", amount, "EUR", SECOND_EUR_FUND),
            ("Assets:Bank", -amount, "EUR", SECOND_EUR_FUND),
        )
    return treasury


def record(
    treasury: Treasury, draw: random.Random, fund: str, currency: str, number: int, hostile: str
) -> None:
    """What happens in a fund: a gift, one in another currency, a refund, a dispute, a payout."""
    gross, fee = draw.randrange(100, 900_000), draw.randrange(1, 99)
    gift = treasury.record(
        "donation",
        ("Assets:Stripe", gross - fee, currency, fund),
        ("Expenses:ProcessorFees", fee, currency, fund),
        ("Income:Donations", -gross, currency, fund),
        donation=name("don", f"{fund} {number}"),
        charge=f"ch_{number}",
        occurred="2027-03-01T10:00:00.000000Z",
        purpose=hostile,
    )
    charged = draw.randrange(100, 900_000)
    treasury.record(
        "donation",
        ("Assets:Stripe", gross - fee, currency, fund),
        ("Expenses:ProcessorFees", fee, currency, fund),
        ("Equity:Conversion", -gross, currency, fund),
        ("Equity:Conversion", charged, "CHF", fund),
        ("Income:Donations", -charged, "CHF", fund),
        donation=hostile,
        charge=number,
    )
    treasury.record(
        "refund",
        ("Assets:Stripe", -gross, currency, fund),
        ("Income:Donations", gross, currency, fund),
        ref=gift,
        refund=f"re_{number}",
    )
    treasury.record(
        "dispute_withdrawn",
        ("Assets:Disputed", 50, currency, fund),
        ("Expenses:DisputeFees", 15, currency, fund),
        ("Assets:Stripe", -65, currency, fund),
        ref=gift,
        dispute=f"dp_{number}",
    )
    payout = treasury.record(
        "payout",
        ("Assets:Bank", 700, currency, fund),
        ("Assets:Stripe", -700, currency, fund),
        payout=f"po_{number}",
    )
    if number % 3 == 0:
        treasury.record(
            "payout_failed",
            ("Assets:Bank", -700, currency, fund),
            ("Assets:Stripe", 700, currency, fund),
            ref=payout,
        )


def subject_of(entries: Entries) -> Subject:
    note = f"{ORIGIN}\n{len(entries)}\nAAAA\n\n— {ORIGIN} BBBB\n"
    return Subject(
        ORGANIZATION, len(entries), note, len(entries), "2027-05-01T00:00:00.000000Z",
        b'{"first":"line"}\n',
    )  # fmt: skip


def write(
    format_name: FormatName, entries: Entries, page: int = 7, **options: Any
) -> tuple[bytes, dict[str, Any]]:
    """A copy of entries, and its manifest."""
    copy = Copy(format_name, subject_of(entries), **options)
    parts = [copy.begin()]
    if copy.needs_figures:
        for part in pages(entries, page):
            copy.survey(part)
    parts.append(copy.head())
    parts += [copy.write(part) for part in pages(entries, page)]
    parts.append(copy.end())
    return b"".join(parts), copy.manifest()


def pages(entries: Entries, page: int) -> Iterator[Entries]:
    for start in range(0, len(entries), page):
        yield entries[start : start + page]


def unbalanced(entries: Entries) -> Entries:
    """The same entries, but one whose amounts do not sum to zero."""
    changed = list(entries)
    at = next(n for n, (entry, _) in enumerate(entries) if b'"kind":"payout"' in entry.data)
    stored, openings = changed[at]
    data = stored.data.replace(b'"amount":"700"', b'"amount":"701"')
    assert data != stored.data
    changed[at] = StoredEntry(stored.index, data, stored.leaf_hash), openings
    return changed


def public(entries: Entries) -> Entries:
    """The same entries for a reader who may see no opening."""
    return [(entry, {}) for entry, _ in entries]
