"""The CSV: RFC 4180, a row a posting, no formulas, numbers that stay numbers."""

import csv
import io
from typing import Any

import pytest

from amply_verify.money import Line
from contracts.money import exponent_of, spell_decimal
from ledger.export_csv import BYTE_ORDER_MARK, COLUMNS, cell
from tests.ledger.exports.treasury import HOSTILE, public, realistic, write

ALL = ("public_full", "public_aggregated", "delayed_public", "internal_only")


def rows_of(data: bytes) -> list[dict[str, str]]:
    text = data.decode()
    assert text.endswith("\r\n")
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    rows = list(reader)
    assert tuple(reader.fieldnames or ()) == COLUMNS
    assert all(None not in row and None not in row.values() for row in rows)
    return rows


def test_the_rows_add_up_to_our_balances_in_both_units() -> None:
    treasury = realistic(*ALL)
    data, manifest = write("csv", treasury.entries)
    sums: dict[Line, int] = {}
    for row in rows_of(data):
        if row["money"] == "shown":
            line = Line(row["fund"], row["account"], row["currency"])
            amount_minor = int(row["amount_minor"])
            sums[line] = sums.get(line, 0) + amount_minor
            assert row["amount"] == spell_decimal(amount_minor, exponent_of(row["currency"]))
    assert sums == treasury.balances_minor
    assert manifest["figures"]["balances"] == [
        {**line._asdict(), "amount_minor": str(amount)} for line, amount in sorted(sums.items())
    ]


def test_every_entry_has_a_row_and_sealed_money_an_empty_amount() -> None:
    treasury = realistic(*ALL)
    data, manifest = write("csv", public(treasury.entries))
    rows = rows_of(data)
    assert {int(row["seq"]) for row in rows} == set(range(manifest["entries"]))
    assert manifest["records"] == len(rows)
    sealed = [row for row in rows if row["money"] == "sealed"]
    assert len(sealed) == sum(manifest["figures"]["sealed"].values()) > 0
    for row in sealed:
        assert row["visibility"] in ALL[1:] and row["entry"] and row["kind"]
        assert {row[name] for name in COLUMNS[9:]} == {""}
    assert {row["money"] for row in rows if row["kind"] == "genesis"} == {"none"}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_never_a_formula(text: str) -> None:
    spelled = next(csv.reader(io.StringIO(cell(text), newline=""), strict=True))
    assert len(spelled) == 1
    assert spelled[0][0] not in "=+-@\t\r\n"
    assert spelled[0].removeprefix("'") == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-1250, "-1250"),
        ("-12.50", "'-12.50"),
        (None, ""),
        ("＝1", "'＝1"),
        ("a b", "a b"),
        (" a", '" a"'),
        ('say "hi"', '"say ""hi"""'),
        ({"n": 1}, '"{""n"":1}"'),
    ],
)
def test_a_cell(value: Any, expected: str) -> None:
    assert cell(value) == expected


@pytest.mark.parametrize(
    ("amount_minor", "exponent", "expected"),
    [(-1250, 2, "-12.50"), (-5, 2, "-0.05"), (7, 0, "7"), (-7, 3, "-0.007"), (0, 2, "0.00")],
)
def test_amounts_are_plain_numbers(amount_minor: int, exponent: int, expected: str) -> None:
    assert spell_decimal(amount_minor, exponent) == expected


def test_rows_of_one_kind_are_all_of_it_and_counted() -> None:
    treasury = realistic(*ALL)
    whole, _ = write("csv", treasury.entries)
    data, manifest = write("csv", treasury.entries, kind="refund")
    rows = rows_of(data)
    assert rows == [row for row in rows_of(whole) if row["kind"] == "refund"] != []
    assert manifest["records"] == len(rows)
    assert manifest["entries"] == len(treasury.entries)
    assert manifest["figures"]["transactions"] == len({row["seq"] for row in rows})


def test_a_byte_order_mark_comes_only_on_request() -> None:
    entries = realistic(rounds=1).entries
    plain, _ = write("csv", entries)
    marked, manifest = write("csv", entries, with_byte_order_mark=True)
    assert not plain.startswith(BYTE_ORDER_MARK)
    assert marked == BYTE_ORDER_MARK + plain
    assert manifest["bytes"] == len(marked)
