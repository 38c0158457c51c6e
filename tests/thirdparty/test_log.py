"""What our processes publish, judged by programs and libraries that nobody of us wrote.

The table of tamperings says what each of three judges makes of each: the checker (comparisons by
x/mod and transparency-dev's libraries), tessera's fsck, and our own verifier. It is as exact about
what a tool does *not* see: a history that was signed anew passes everybody who kept nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from amply_verify.note import Signer
from amply_verify.receipt import parse_receipt
from amply_verify.tiles import pack_bundle, unpack_bundle
from amply_verify.tree import leaf_hash
from ledger.receipt import render
from tests.ledger.making import ORIGIN, Book, donation, genesis, name
from tests.thirdparty.published import PROVEN, SIZES, Published
from tests.thirdparty.tools import BUILD_S_MAX, Tools

pytestmark = pytest.mark.timeout(BUILD_S_MAX)

Given = Mapping[str, str | Path]
#: How long a judge that is expected to refuse may take: fsck waits for ever at some faults.
REFUSES_S_MAX = 5.0
ACCEPTS_S_MAX = 60.0
WITNESSED = "checkpoint.witnessed"


@pytest.mark.parametrize("size", SIZES)
def test_every_published_size_is_whole_and_leads_from_all_before(
    published: Published, tools: Tools, tmp_path: Path, size: int
) -> None:
    log = published.copy(tmp_path / "copy")
    (log.folder / "checkpoint").write_bytes(log.kept[size].read_bytes())
    for old in (older for older in SIZES if older <= size):
        verdict = tools.check(log.folder, log.key, old=log.kept[old])
        assert verdict.accepts and f"{size} entries" in verdict.said, verdict
    verdict = tools.run_fsck(log.folder, log.key, ACCEPTS_S_MAX)
    assert verdict.accepts, verdict


@dataclass(frozen=True)
class Case:
    """`checker` and `ours` are how a refusal begins, None where it is accepted.

    `change` damages a copy and returns what the judges are given beside it.
    """

    what: str
    change: Callable[[Published], Given]
    checker: str | None
    ours: str | None
    is_seen_by_fsck: bool = False


def untouched(log: Published) -> Given:
    return {"old": log.kept[300], "receipt": log.receipt}


def witnessed(log: Published) -> Given:
    return {
        "checkpoint": WITNESSED, "old": log.kept[257], "receipt": log.receipt, "policy": log.policy,
    }  # fmt: skip


def flip(path: str, offset: int) -> Callable[[Published], Given]:
    def change(log: Published) -> Given:
        data = bytearray((log.folder / path).read_bytes())
        data[offset] ^= 1
        (log.folder / path).write_bytes(data)
        return {}

    return change


def edited(log: Published) -> Given:
    """An entry and its leaf hash, as who edits the database would do it."""
    bundle, tile = log.folder / "tile/entries/001", log.folder / "tile/0/001"
    entries = unpack_bundle(bundle.read_bytes())
    entries[7] = entries[7].replace(b'"2500"', b'"9500"').replace(b'"-2500"', b'"-9500"')
    bundle.write_bytes(pack_bundle(entries))
    tile.write_bytes(b"".join(map(leaf_hash, entries)))
    return {}


def cut_bundle(log: Published) -> Given:
    bundle = log.folder / f"tile/entries/002.p/{SIZES[-1] - 512}"
    bundle.write_bytes(pack_bundle(unpack_bundle(bundle.read_bytes())[:-1]))
    return {}


def without(path: str) -> Callable[[Published], Given]:
    def change(log: Published) -> Given:
        (log.folder / path).unlink()
        return {}

    return change


def resized(log: Published) -> Given:
    note = (log.folder / "checkpoint").read_text()
    (log.folder / "checkpoint").write_text(note.replace("\n700\n", "\n699\n"))
    return {}


def other_key(origin: str) -> Callable[[Published], Given]:
    def change(log: Published) -> Given:
        log.key.write_text(f"{Signer(origin, bytes(32)).key}\n")
        return {}

    return change


def truncated(log: Published) -> None:
    log.sign_anew(log.entries()[:600])


def reordered(log: Published) -> None:
    entries = log.entries()
    entries[10], entries[200] = entries[200], entries[10]
    log.sign_anew(entries)


def rewritten(log: Published) -> None:
    """Another history of the same size, in which every entry and every chain is right."""
    book = Book()
    organizations = [name("org", of) for of in ("P", "A")]
    book.decide(genesis(one) for one in organizations)
    gifts = range(2, SIZES[-1])
    book.decide(donation(organizations[1], f"invented {number}", 9500) for number in gifts)
    log.sign_anew(book.entries)


def and_given(change: Callable[[Published], None], *kept: str) -> Callable[[Published], Given]:
    """The change, judged with what somebody kept from before."""

    def judged(log: Published) -> Given:
        given = {
            "old": log.kept[300], "newest": log.kept[700],
            "receipt": log.receipt, "old_receipt": log.old_receipt,
        }  # fmt: skip
        change(log)
        names = {"newest": "old", "old_receipt": "receipt"}
        return {names.get(one, one): given[one] for one in kept}

    return judged


def receipt_of_another_index(log: Published) -> Given:
    text = log.receipt.read_text()
    log.receipt.write_text(text.replace(f"\nindex {PROVEN}\n", f"\nindex {PROVEN + 1}\n"))
    return {"receipt": log.receipt}


def receipt_of_another_entry(log: Published) -> Given:
    """The neighbour's entry under this one's proof."""
    parts = parse_receipt(log.receipt.read_bytes())
    entry = log.entries()[PROVEN + 1]
    log.receipt.write_bytes(render(entry, {}, PROVEN, parts.proof, parts.checkpoint))
    return {"receipt": log.receipt}


def policy_of_another_name(log: Published) -> Given:
    text = log.policy.read_text()
    log.policy.write_text(text.replace("omniwitness.test+", "omniwitness.test2+"))
    return witnessed(log)


def stripped(log: Published) -> Given:
    (log.folder / WITNESSED).write_bytes((log.folder / "checkpoint").read_bytes())
    return {"checkpoint": WITNESSED, "policy": log.policy}


def rewritten_under_old_cosignatures(log: Published) -> Given:
    line = (log.folder / WITNESSED).read_text().splitlines()[-1]
    rewritten(log)
    note = (log.folder / "checkpoint").read_text()
    (log.folder / WITNESSED).write_text(f"{note}{line}\n")
    return {"checkpoint": WITNESSED, "policy": log.policy}


CASES = [
    Case("nothing", untouched, None, None),
    Case("nothing, by a policy", witnessed, None, None),
    # Damage to files: everybody sees it who reads them all.
    Case("a bit of a bundle", flip("tile/entries/001", 700), "root", "A2", True),
    Case("a bit of a leaf's tile", flip("tile/0/001", 700), "tile", "A2", True),
    Case("a bit of an upper tile", flip("tile/1/000.p/2", 7), "tile", "A2", True),
    Case("an entry and its leaf", edited, "root", "A2", True),
    Case("the last entry of a bundle", cut_bundle, "bundle", "A2", True),
    Case("a missing bundle", without("tile/entries/001"), "bundle", "A2", True),
    Case("a missing tile", without("tile/0/000"), "tile", "A2", True),
    Case("the size in the checkpoint", resized, "checkpoint signature", "A1", True),
    Case("another key of this name", other_key(ORIGIN), "checkpoint signature", "A1", True),
    Case("a key of another log", other_key("x.example/log/0"), "checkpoint signature", "A1", True),
    # Signed anew, by whoever holds the key: only what was kept shows it, or a witness. Of what
    # entries mean only our own verifier knows anything.
    Case("cut off", and_given(truncated), None, None),
    Case("cut off, old kept", and_given(truncated, "old"), None, None),
    Case("cut off, newest kept", and_given(truncated, "newest"), "truncation", "A6"),
    Case("cut off, receipt kept", and_given(truncated, "receipt"), "truncation", "A7"),
    Case("reordered", and_given(reordered), None, "A4"),
    Case("reordered, old kept", and_given(reordered, "old"), "older root", "A4"),
    Case("reordered, receipt kept", and_given(reordered, "receipt"), "older root", "A4"),
    Case("rewritten", and_given(rewritten), None, None),
    Case("rewritten, old kept", and_given(rewritten, "old"), "older root", "A6"),
    Case("rewritten, newest kept", and_given(rewritten, "newest"), "older root", "A6"),
    Case("rewritten, receipt kept", and_given(rewritten, "receipt"), "older root", "A7"),
    Case("rewritten, old receipt", and_given(rewritten, "old_receipt"), "older root", "A7"),
    Case("rewritten, cosigned before", rewritten_under_old_cosignatures, "checkpoint quorum", "A1"),
    # What people hold in their hands; fsck reads none of it.
    Case("a receipt's index", receipt_of_another_index, "receipt", "8"),
    Case("a receipt's entry", receipt_of_another_entry, "receipt", "8"),
    Case("a witness's name", policy_of_another_name, "checkpoint quorum", "unreadable"),
    Case("no cosignature", stripped, "checkpoint quorum", "A1"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_what_was_tampered_with_and_who_sees_it(
    published: Published, tools: Tools, tmp_path: Path, case: Case
) -> None:
    log = published.copy(tmp_path / "copy")
    given = case.change(log)
    checker = tools.check(log.folder, log.key, **given)
    ours = log.audit(given)
    for verdict, refusal in ((checker, case.checker), (ours, case.ours)):
        assert verdict.accepts is (refusal is None), verdict
    assert checker.said.startswith("PASS" if case.checker is None else f"FAIL {case.checker}")
    assert ours.said.startswith(case.ours or "verified"), ours
    limit_s = REFUSES_S_MAX if case.is_seen_by_fsck else ACCEPTS_S_MAX
    fsck = tools.run_fsck(log.folder, log.key, limit_s)
    assert fsck.accepts is not case.is_seen_by_fsck, fsck
