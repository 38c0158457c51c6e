"""Section 10 of the ledger format, row by row: what each attack of an operator runs into.

Every attack is mounted on a log that the running writer and signer made, by somebody who has the
database, the files and the log's key. What a careful forger gets past is stated as well.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from amply_verify.cli import main
from amply_verify.note import Signer, parse_checkpoint, split_note
from ledger.export import line
from ledger.export_entry import StoredEntry
from tests.attacks.operator import (
    GIFTS,
    A,
    B,
    Operator,
    Values,
    chained,
    change_line,
    spelled,
    values_of,
    with_amount,
)
from tests.attacks.verdict import Verdict
from tests.ledger.making import name
from tests.workers.ledger_stand import Stand

LAST = 2 + len(GIFTS) * 2  # The index of the last entry, which is B's; A's last is before it.
SEALED = {"sealed": "ab" * 32}


@pytest.fixture
async def operator(stand: Stand) -> Operator:
    made = Operator(stand)
    await made.begin()
    return made


@pytest.fixture
def verify(operator: Operator, capsys: pytest.CaptureFixture[str]) -> Verdict:
    return Verdict(capsys, operator.key)


async def test_the_honest_log_and_its_exports_verify(operator: Operator, verify: Verdict) -> None:
    folder = operator.stand.folder
    export = await operator.export(A)
    assert verify.step("log", folder, "--old", operator.checkpoint, "--export", export) is None
    assert verify.step("export", export, "--old", operator.checkpoint) is None


EDITS: dict[str, Callable[[Values], Values]] = {
    "edited": lambda log: [*log[:3], with_amount(log[3], 9), *log[4:]],
    "removed": lambda log: [*log[:5], *log[6:]],
    "reordered": lambda log: [*log[:3], log[5], log[4], log[3], *log[6:]],
    "put in twice": lambda log: [*log[:4], log[3], *log[4:]],
}


async def test_an_entry_that_was_edited_removed_or_reordered_breaks_its_chain(
    operator: Operator, verify: Verdict
) -> None:
    for edit, change in EDITS.items():
        await operator.replace(spelled(change(values_of(operator.honest))))
        assert verify.step("log", operator.stand.folder) == "A4", edit
        assert verify.step("export", await operator.export(A)) == 4, edit


async def test_a_forger_who_mends_the_chains_is_caught_by_whoever_kept_a_checkpoint(
    operator: Operator, verify: Verdict
) -> None:
    honest = values_of(operator.honest)
    for edit in ("edited", "removed", "reordered"):
        forged = EDITS[edit](honest)
        # Times are made to grow again, or the forgery would be seen without any memory.
        forged = [value | {"time": honest[at]["time"]} for at, value in enumerate(forged)]
        await operator.replace(chained(forged))
        folder, export = operator.stand.folder, await operator.export(A)
        assert verify.step("log", folder) is None, "nobody who sees only this log can tell"
        assert verify.step("export", export) is None
        assert verify.step("log", folder, "--old", operator.checkpoint) == "A6", edit
        assert verify.step("export", export, "--old", operator.checkpoint) == 10, edit


async def test_a_file_changed_after_signing_does_not_hash_up_to_the_root(
    operator: Operator, verify: Verdict
) -> None:
    folder = operator.stand.folder
    for path in sorted(folder.glob("tile/**/*.p/*")):
        data = path.read_bytes()
        for position in (2, len(data) // 2, len(data) - 1):
            path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
            assert verify.step("log", folder) == "A2"
        path.write_bytes(data)
    assert verify.step("log", folder) is None


async def test_a_log_whose_newest_entries_were_cut_off_is_shorter_than_a_kept_checkpoint(
    operator: Operator, verify: Verdict
) -> None:
    await operator.replace(operator.honest[:-2])
    folder = operator.stand.folder
    assert verify.step("log", folder) is None
    assert verify.step("log", folder, "--old", operator.checkpoint) == "A6"
    assert verify.step("export", await operator.export(A), "--old", operator.checkpoint) == 10


async def test_an_export_that_was_cut_off_lacks_a_kept_head_and_entries_of_the_log(
    operator: Operator, verify: Verdict
) -> None:
    whole = await operator.export(A)
    head = operator.stand.scratch / "head.json"
    head.write_text(json.dumps(verify("export", whole)["head"]))
    short = await operator.export(A, count=len(GIFTS) - 1)
    assert verify.step("export", short) is None
    assert verify.step("export", short, "--old-head", head) == 10
    assert verify.step("log", operator.stand.folder, "--export", short) == "A7"


async def test_an_export_that_was_cut_off_has_fewer_entries_than_the_last_census_counted(
    operator: Operator, verify: Verdict
) -> None:
    await operator.wait_for_census()
    whole = await operator.export(A, with_census=True)
    assert verify("export", whole)["census"] is True
    short = await operator.export(A, count=len(GIFTS) - 1, with_census=True)
    assert verify.step("export", short) == 9
    assert verify.step("log", operator.stand.folder, "--old", operator.checkpoint) is None


async def test_two_logs_of_one_key_are_told_apart_by_their_checkpoints(
    operator: Operator, verify: Verdict
) -> None:
    other = values_of(operator.honest)
    other[-1] = with_amount(other[-1], 1)
    await operator.replace(chained(other))
    forged = operator.stand.scratch / "checkpoint-of-another"
    forged.write_text(operator.stand.checkpoint())
    assert verify.step("log", operator.stand.folder, "--old", operator.checkpoint) == "A6"
    assert main(["compare", str(operator.checkpoint), str(forged), "--key", operator.key]) == 1


async def test_two_chains_of_one_organization_do_not_fit_into_one_log(
    operator: Operator, verify: Verdict
) -> None:
    values = values_of(operator.honest)
    last = values[-2]
    assert last["org"] == A
    second = with_amount(last, 1) | {"id": name("ent", "second"), "time": values[-1]["time"]}
    second["donor"] = SEALED
    await operator.replace(spelled([*values, second]))
    assert verify.step("log", operator.stand.folder) == "A4"
    rows = "DELETE FROM ledger.entries WHERE index = $1"
    await operator.stand.database.fetch("ALTER TABLE ledger.entries DISABLE TRIGGER USER")
    await operator.stand.database.fetch(rows, LAST - 1)
    # Whoever is shown the second chain alone sees nothing wrong; the log tells.
    export = await operator.export(A)
    assert verify.step("export", export) is None
    assert verify.step("log", operator.stand.folder, "--export", export) == "A4"


async def test_a_line_that_is_no_leaf_is_a_gap_in_the_log(
    operator: Operator, verify: Verdict
) -> None:
    values = values_of(operator.honest)
    of_a = [value for value in values if value["org"] == A]
    hidden = with_amount(of_a[-1], 5) | {"id": name("ent", "hidden"), "donor": SEALED}
    *_, hidden_bytes, last = chained([*of_a[:-1], hidden, of_a[-1]])
    await operator.replace([*operator.honest[: LAST - 1], last, operator.honest[LAST]])
    # A's readers get the hidden entry as well, at the place of an entry of B.
    export = await operator.export(A)
    change_line(export, 0, lambda first: first | {"entries": first["entries"] + 1})
    lines = export.read_bytes().splitlines(keepends=True)
    lines.insert(-1, line(StoredEntry(LAST - 2, hidden_bytes), {}))
    export.write_bytes(b"".join(lines))
    assert verify.step("export", export) is None
    assert verify.step("log", operator.stand.folder, "--export", export) == "A4"


async def test_an_organization_of_another_log_is_refused_for_its_genesis(
    operator: Operator, verify: Verdict
) -> None:
    values = values_of(operator.honest)
    for value in values:
        if value["org"] == B and value["kind"] == "genesis":
            value["details"]["origin"] = "ledger.example.org/log/1"
    await operator.replace(chained(values))
    assert verify.step("log", operator.stand.folder) == "A3"
    assert verify.step("export", await operator.export(B)) == 3


FLIPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "amount": lambda value: with_amount(value, 1),
    "fund": lambda value: json.loads(
        json.dumps(value).replace(value["money"]["postings"][0]["fund"], name("fund", "other"))
    ),
    "kind": lambda value: value | {"kind": "grant"},
    "time": lambda value: value | {"time": "2020-01-01T00:00:00.000000Z"},
}


async def test_a_field_flipped_in_an_export_is_inside_a_hash(
    operator: Operator, verify: Verdict
) -> None:
    for flip, change in FLIPS.items():
        for seq, step in ((2, 4), (len(GIFTS), 8)):

            def flipped(
                row: dict[str, Any], change: Callable[[Any], Any] = change
            ) -> dict[str, Any]:
                return row | {"entry": spelled([change(json.loads(row["entry"]))])[0].decode()}

            export = await operator.export(A)
            change_line(export, 1 + seq, flipped)
            # A time that goes back is seen before the hash is looked at.
            assert verify.step("export", export) == (4 if flip == "time" else step), flip


async def test_an_invented_opening_does_not_match_its_seal(
    operator: Operator, verify: Verdict
) -> None:
    export = await operator.export(A)
    report = verify("export", export)
    assert report["unseen"]["sealed_money"] == {}
    for seq in (3, 4, 5, 6):

        def change(row: dict[str, Any]) -> dict[str, Any]:
            money = row["openings"]["money"]
            line_, other = money["value"]["postings"]
            lines = [line_ | {"amount": "1"}, other | {"amount": "-1"}]
            opening = money | {"value": {"postings": lines}}
            return row | {"openings": row["openings"] | {"money": opening}}

        export = await operator.export(A)
        change_line(export, 1 + seq, change)
        answer = verify("export", export)
        assert (answer["step"], answer["seq"]) == (5, seq)


async def test_a_seal_used_for_two_entries_is_seen_in_export_and_log(
    operator: Operator, verify: Verdict
) -> None:
    values = values_of(operator.honest)
    of_a = [value for value in values if value["org"] == A]
    of_a[3]["donor"] = of_a[2]["donor"]
    await operator.replace(chained(values))
    assert verify.step("log", operator.stand.folder) == "A4"
    assert verify.step("export", await operator.export(A)) == 4


async def test_money_that_does_not_balance_is_refused_by_every_reader(
    operator: Operator, verify: Verdict
) -> None:
    values = values_of(operator.honest)
    values[3]["money"]["postings"][0]["amount"] = "2600"
    await operator.replace(chained(values))
    assert verify.step("log", operator.stand.folder) == "A3"
    assert verify.step("export", await operator.export(A)) == 6


async def test_an_opening_that_is_due_and_withheld_is_reported(
    operator: Operator, verify: Verdict
) -> None:
    export = await operator.export(A)
    assert verify("export", export)["unseen"]["overdue"] == 0
    for seq in (4, 5):  # The date of the first is past, that of the second far away.
        change_line(export, 1 + seq, lambda row: row | {"openings": {}})
    answer = verify("export", export)
    assert answer["verified"]
    assert answer["unseen"]["overdue"] == 1
    assert answer["unseen"]["sealed_money"] == {"delayed_public": 2}


async def test_a_log_signed_with_a_new_key_is_not_the_log_that_is_trusted(
    operator: Operator, verify: Verdict
) -> None:
    # The signer itself refuses a key that the log does not name, so the operator signs by hand.
    folder = operator.stand.folder
    honest = parse_checkpoint(split_note(operator.stand.checkpoint())[0])
    forger = Signer(honest.origin, b"\x0a" * 32)
    (folder / "checkpoint").write_text(forger.sign(honest))
    (folder / "vkey").write_text(f"{forger.key}\n")
    assert verify.step("log", folder) == "A1"
    assert verify.step("export", await operator.export(A)) == 1
