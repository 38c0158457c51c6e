"""hledger, where it can be had, accepts the journal in strict mode and computes our balances."""

import csv
import io
import os
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from amply_verify.money import Line
from contracts.money import exponent_of
from ledger.export_journal import line_of
from tests.ledger.exports.treasury import Treasury, public, realistic, unbalanced, write

ALL = ("public_full", "public_aggregated", "delayed_public", "internal_only")


@pytest.fixture(scope="module")
def hledger(engine_cache: Path) -> str:
    """On the path, else unpacked from the distribution's package into the cache, without root."""
    if found := shutil.which("hledger"):
        return found
    folder = engine_cache / "hledger"
    program = folder / "usr" / "bin" / "hledger"
    if not program.exists():
        if not (shutil.which("apt-get") and shutil.which("dpkg")):
            pytest.skip("hledger is not on PATH, and there is no apt-get to download it with")
        work = engine_cache / f"hledger.{os.getpid()}"
        work.mkdir(parents=True)
        try:
            for command in (["apt-get", "download", "hledger"], ["dpkg", "-x", "", "unpacked"]):
                if command[0] == "dpkg":
                    command[2] = next(work.glob("hledger_*.deb")).name
                done = subprocess.run(command, cwd=work, capture_output=True, text=True)
                if done.returncode:
                    pytest.skip(f"hledger cannot be downloaded: {done.stderr.strip()[-200:]}")
            if not program.exists():
                (work / "unpacked").rename(folder)
        finally:
            shutil.rmtree(work)
    if subprocess.run([program, "--version"], capture_output=True).returncode:
        pytest.skip("the distribution's hledger does not run here: a library is missing")
    return str(program)


def run(hledger: str, journal: bytes, folder: Path, *arguments: str) -> str:
    path = folder / "books.journal"
    path.write_bytes(journal)
    done = subprocess.run(
        [hledger, *arguments, "--strict", "-f", str(path)], capture_output=True, text=True,
        env={"LC_ALL": "C.UTF-8", "HOME": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def balances(hledger: str, journal: bytes, folder: Path) -> dict[Line, int]:
    table = run(hledger, journal, folder, "balance", "--no-total", "--layout=bare", "-O", "csv")
    sums: dict[Line, int] = {}
    for row in csv.DictReader(io.StringIO(table)):
        amount_minor = Decimal(row["balance"]).scaleb(exponent_of(row["commodity"]))
        assert amount_minor == amount_minor.to_integral_value()
        sums[line_of(row["account"], row["commodity"])] = int(amount_minor)
    return {line: amount for line, amount in sums.items() if amount}


@pytest.mark.parametrize("visibilities", [ALL[:1], ALL], ids=["shown", "opened"])
def test_its_balances_are_ours(hledger: str, tmp_path: Path, visibilities: tuple[str, ...]) -> None:
    treasury = realistic(*visibilities)
    journal, _ = write("hledger", treasury.entries)
    ours = {line: amount for line, amount in treasury.balances_minor.items() if amount}
    assert balances(hledger, journal, tmp_path) == ours


def test_a_ledger_without_money_is_a_journal_too(hledger: str, tmp_path: Path) -> None:
    journal, manifest = write("hledger", Treasury().entries)
    assert balances(hledger, journal, tmp_path) == {}
    assert manifest["figures"] == {"transactions": 0, "sealed": {}, "balances": []}


def test_tags_name_the_entry_and_foreign_text_makes_no_tag(hledger: str, tmp_path: Path) -> None:
    treasury = realistic()
    journal, _ = write("hledger", treasury.entries)
    found = run(hledger, journal, tmp_path, "tags", "--values", "entry").splitlines()
    assert len(found) == len(treasury.entries) - 1
    assert "forged" not in found
    first = run(hledger, journal, tmp_path, "register", "date:2020", "-O", "csv")
    assert len(first.splitlines()) <= 1  # the row of names, or nothing


def test_sealed_money_is_named_and_the_copy_says_that_it_is_partial(
    hledger: str, tmp_path: Path
) -> None:
    treasury = realistic(*ALL)
    journal, manifest = write("hledger", public(treasury.entries))
    assert balances(hledger, journal, tmp_path)
    sealed = manifest["figures"]["sealed"]
    assert journal.decode().count("its money is sealed (") == sum(sealed.values())
    assert b"; PARTIAL: " in journal


@pytest.mark.parametrize("fault", ["amount", "money"])
def test_a_wrong_amount_or_money_that_does_not_balance_is_found(
    hledger: str, tmp_path: Path, fault: str
) -> None:
    entries = realistic(rounds=1).entries
    text = write("hledger", unbalanced(entries) if fault == "money" else entries)[0].decode()
    if fault == "amount":
        # Only an assertion can find this: both sides are wrong by the same cent.
        at = text.index(") payout")
        end = text.index("\n\n", at)
        text = text[:at] + text[at:end].replace("7.00 ", "7.01 ") + text[end:]
    path = tmp_path / "wrong.journal"
    path.write_text(text)
    done = subprocess.run([hledger, "balance", "-f", str(path)], capture_output=True, text=True)
    assert done.returncode != 0
    assert ("balance assertion" if fault == "amount" else "could not balance") in done.stderr
