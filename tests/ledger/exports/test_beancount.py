"""beancount loads the journal without an error and computes our balances from it."""

from collections import defaultdict
from decimal import Decimal

import pytest
from beancount import loader
from beancount.core.data import Balance, Custom, Open, Transaction

from amply_verify.money import Line
from contracts.money import exponent_of
from ledger.export_journal import line_of
from tests.ledger.exports.treasury import (
    ORGANIZATION,
    Treasury,
    public,
    realistic,
    unbalanced,
    write,
)
from tests.ledger.making import name

ALL = ("public_full", "public_aggregated", "delayed_public", "internal_only")


def load(journal: bytes) -> tuple[list[object], dict[Line, int]]:
    entries, errors, _ = loader.load_string(journal.decode())
    assert errors == []
    sums: defaultdict[Line, int] = defaultdict(int)
    for entry in entries:
        if isinstance(entry, Transaction):
            for posting in entry.postings:
                assert posting.units is not None and posting.units.number is not None
                currency = posting.units.currency
                amount_minor = posting.units.number.scaleb(exponent_of(currency))
                assert amount_minor == amount_minor.to_integral_value()
                sums[line_of(posting.account, currency)] += int(amount_minor)
    return list(entries), dict(sums)


@pytest.mark.parametrize("visibilities", [ALL[:1], ALL], ids=["shown", "opened"])
def test_its_balances_are_ours(visibilities: tuple[str, ...]) -> None:
    treasury = realistic(*visibilities)
    journal, _ = write("beancount", treasury.entries)
    entries, balances = load(journal)
    assert balances == treasury.balances_minor
    asserted = {
        line_of(entry.account, entry.amount.currency): entry
        for entry in entries
        if isinstance(entry, Balance)
    }
    assert asserted.keys() == treasury.balances_minor.keys()
    assert all(entry.tolerance == Decimal(0) for entry in asserted.values())
    opened = [entry.account for entry in entries if isinstance(entry, Open)]
    assert len(set(opened)) == len({(line.account, line.fund) for line in balances})
    assert not any(isinstance(entry, Custom) for entry in entries)


def test_a_ledger_without_money_is_a_journal_too() -> None:
    assert load(write("beancount", Treasury().entries)[0]) == ([], {})


def test_every_transaction_names_its_entry_and_foreign_text_stays_in_its_place() -> None:
    treasury = realistic()
    journal, manifest = write("beancount", treasury.entries)
    entries, _ = load(journal)
    transactions = [entry for entry in entries if isinstance(entry, Transaction)]
    stored = {entry.leaf_hash.hex() for entry, _ in treasury.entries}
    assert {entry.meta["leaf"] for entry in transactions} <= stored
    assert [int(entry.meta["seq"]) for entry in transactions] == list(
        range(1, len(treasury.entries))
    )
    assert len(transactions) == manifest["figures"]["transactions"]
    assert b"forged" in journal  # as text, in one line
    texts = [entry.meta.get("donation", "") for entry in transactions]
    assert 'a"b\\c' in texts
    assert "ab\\u202ecd\\u2028ef\\u0085gh" in texts
    assert "Füße; 日本 \U0001f468" in texts


def test_sealed_money_is_named_and_the_copy_says_that_it_is_partial() -> None:
    treasury = realistic(*ALL)
    journal, manifest = write("beancount", public(treasury.entries))
    entries, balances = load(journal)
    sealed = manifest["figures"]["sealed"]
    assert set(sealed) == set(ALL[1:]) and balances != treasury.balances_minor
    transactions = sum(isinstance(entry, Transaction) for entry in entries)
    assert transactions + sum(sealed.values()) + 1 == len(treasury.entries)
    text = journal.decode()
    assert "; PARTIAL: the money of entries is sealed" in text
    assert text.count("its money is sealed (") == sum(sealed.values())
    assert "PARTIAL" not in write("beancount", treasury.entries)[0].decode()


def test_a_wrong_amount_anywhere_breaks_an_assertion() -> None:
    journal, _ = write("beancount", realistic(rounds=1).entries)
    lines = journal.decode().splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if " * " in line and "payout" in line)
    here = [n for n in range(start, start + 20) if lines[n].startswith("  Assets:")][:2]
    first, second = here
    # Both sides by the same cent: the transaction still balances, the account does not.
    lines[first] = lines[first].replace("7.00", "7.01").replace("700", "701").replace("0.7", "0.8")
    lines[second] = (
        lines[second].replace("7.00", "7.01").replace("700", "701").replace("0.7", "0.8")
    )
    _, errors, _ = loader.load_string("".join(lines))
    assert [type(error).__name__ for error in errors] == ["BalanceError"] * 2


def test_money_that_does_not_balance_is_found_by_beancount() -> None:
    journal, _ = write("beancount", unbalanced(realistic().entries))
    _, errors, _ = loader.load_string(journal.decode())
    assert "does not balance" in str([error.message for error in errors])


def test_funds_and_accounts_map_one_to_one() -> None:
    journal, _ = write("beancount", realistic().entries)
    fund = name("fund", "wells").removeprefix("fund_")
    assert f"open Expenses:Program:Wells-2:Fund-{fund}  EUR\n" in journal.decode()
    assert f"; organization: {ORGANIZATION}\n" in journal.decode()
