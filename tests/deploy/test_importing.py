"""Reading a CSV of donations: what is taken, what is refused, and how it is said."""

from pathlib import Path

import pytest

from deploy.importing import FaultyFileError, parse_amount, read

DATA = Path(__file__).parent.parent / "data" / "agdq2017.csv.gz"


def test_the_real_file_is_read_whole() -> None:
    file = read(DATA)
    assert len(file.gifts) == 43_472
    assert sum(gift.amount_minor for gift in file.gifts) == 222_279_052
    assert file.gifts[0].row == 2


def test_a_limit_takes_the_first_rows() -> None:
    assert read(DATA, limit=2000).gifts == read(DATA).gifts[:2000]


@pytest.mark.parametrize(
    "text",
    ["", "1,000.00", "1.000,00", "12.5", "１２", "0", "-5", "1e19", "NaN", "9" * 4000, " 5", "+5"],
)
def test_an_ambiguous_or_impossible_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"minor units|between"):
        parse_amount(text)


def test_faulty_rows_are_named_and_nothing_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "gifts.csv"
    path.write_text("amount_minor,donor\n100,1\n1.50,2\n0,3\n")
    with pytest.raises(FaultyFileError, match=r"(?s)row 3: .*row 4: "):
        read(path)


def test_a_missing_column_and_wrong_encodings_are_explained(tmp_path: Path) -> None:
    path = tmp_path / "gifts.csv"
    path.write_text("amount\n100\n")
    with pytest.raises(FaultyFileError, match="no column amount_minor"):
        read(path)
    path.write_bytes(b"amount_minor\n\xff\n")
    with pytest.raises(FaultyFileError, match="UTF-8"):
        read(path)
    broken = tmp_path / "gifts.csv.gz"
    broken.write_bytes(DATA.read_bytes()[:1000])
    with pytest.raises(FaultyFileError, match="gzip"):
        read(broken)
