"""Every parser that reads foreign bytes, fed with valid input that was damaged.

Whatever comes in, a parser gives a value or one of the verifier's own errors: never another
exception, never a crash. The same examples on every run.
"""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amply_verify import canonical
from amply_verify.audit import Kept, audit_log
from amply_verify.chain import judge_lines
from amply_verify.claims import claim_of_export, claim_of_receipt
from amply_verify.entry import check_opening, parse_entry
from amply_verify.errors import InvalidError, RefusedError, UnreadableError
from amply_verify.export import verify_export
from amply_verify.export_form import parse_first, parse_header, parse_proof, parse_row
from amply_verify.history import Side, compare
from amply_verify.inputs import read_head, read_key, read_policy, read_side
from amply_verify.money import parse_postings
from amply_verify.monitor import Monitor
from amply_verify.monitor_run import read_records
from amply_verify.monitor_state import MonitorState
from amply_verify.note import Signer, open_checkpoint, parse_checkpoint, parse_verifier_key
from amply_verify.policy import parse_policy
from amply_verify.receipt import parse_receipt, verify_receipt
from amply_verify.store import StoreError
from amply_verify.tiles import TileTree, split_hashes, unpack_bundle
from amply_verify.tree import verify_consistency, verify_inclusion
from amply_verify.trust import Signed, Trust
from tests.verifier.conftest import VECTORS, MadeLog, load_vectors, typeid

OURS = (InvalidError, RefusedError, UnreadableError)
GOLDEN = load_vectors("log.json")
NOTE = load_vectors("checkpoints.json")["checkpoints"][5]["note"]
KEY = parse_verifier_key(GOLDEN["vkey"])
TRUST = Trust(KEY)
RECEIPT = (VECTORS / "receipt.tlog-proof").read_bytes()
EXPORT = (VECTORS / "export.jsonl").read_bytes()
FIRST, *ROWS = EXPORT.splitlines()
ORG = json.loads(FIRST)["org"]
ENTRIES = [text.encode() for text in GOLDEN["entries"]]
KINDS = {json.loads(entry)["kind"]: entry for entry in ENTRIES}
POLICY = (
    f"log {GOLDEN['vkey']}\nwitness w {GOLDEN['witness_vkey']} https://w.example\n"
    "group g any w\nquorum g\n"
).encode()

SPLICES = (
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\\u0000",
    "\u202e\u2028\u00e9".encode(),
    b"[" * 5000,
    b'{"a":' * 3000,
    b"9" * 5000,
    b"-0",
    b"1e999",
    b"NaN",
    b'"' * 3,
    b"\r\n",
    b"\n\n",
    "\n\u2014 x AAAAAAAA\n".encode(),
    b"=" * 9,
    b"null",
    b"true",
    b"18446744073709551616",
)


@st.composite
def damaged(draw: st.DrawFn, *valid: bytes) -> bytes:
    """A valid input with up to four damages: flips, cuts, repetitions, splices."""
    data = draw(st.sampled_from(valid))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from((0, 1, 2, 8, 64, 1000))))
        piece = draw(
            st.sampled_from((b"", data[start:end] * 2, data[start:end].swapcase(), *SPLICES))
            | st.binary(min_size=1, max_size=4)
        )
        cut = draw(st.booleans()) and draw(st.booleans())
        data = data[:start] + piece + (b"" if cut else data[end:])
    return data


def tamed(action: Callable[[], object]) -> None:
    """Run it; only our own errors may come out."""
    try:
        action()
    except OURS as error:
        assert str(error)


def text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


Parser = Callable[[bytes], object]

# parser, valid inputs: those that a caller gives to it as they came from outside
PARSERS: dict[str, tuple[Parser, tuple[bytes, ...]]] = {
    "canonical": (canonical.parse, (FIRST, *KINDS.values())),
    "entry": (lambda data: parse_entry(data, KEY.name), tuple(KINDS.values())),
    "note": (lambda data: open_checkpoint(text(data), KEY), (NOTE.encode(),)),
    "checkpoint": (
        lambda data: parse_checkpoint(text(data)),
        (NOTE.partition("\n\n")[0].encode() + b"\n",),
    ),
    "verifier key": (lambda data: parse_verifier_key(text(data)), (GOLDEN["vkey"].encode(),)),
    "policy": (lambda data: parse_policy(text(data)), (POLICY,)),
    "receipt": (lambda data: verify_receipt(data, TRUST), (RECEIPT,)),
    "receipt's parts": (parse_receipt, (RECEIPT,)),
    "line 1": (lambda data: parse_header(parse_first(data), None), (FIRST,)),
    "row": (lambda data: parse_row(data, ORG), tuple(ROWS[:30])),
    "rows": (
        lambda data: judge_lines(data.split(b"\n"), 0, ORG, KEY.name, "2027"),
        (b"\n".join(ROWS[:6]),),
    ),
    "bundle": (unpack_bundle, (b"".join(len(e).to_bytes(2) + e for e in ENTRIES[:5]),)),
    "tile": (split_hashes, (b"".join(map(bytes.fromhex, GOLDEN["leaf_hashes"][:5])),)),
    "records": (
        lambda data: [
            open_checkpoint(str(note), KEY) for note in read_records(io.BytesIO(data), 60)
        ],
        (json.dumps({"note": NOTE}).encode() + b"\n" + NOTE.encode(),),
    ),
}


@pytest.mark.parametrize("name", PARSERS)
def test_parsers_of_bytes(name: str) -> None:
    parse, valid = PARSERS[name]

    @settings(max_examples=150)
    @given(damaged(*valid))
    def check(data: bytes) -> None:
        tamed(lambda: parse(data))

    for data in valid:
        parse(data)
    check()


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(("postings", "1", "-5", "EUR", "Assets:Bank", typeid("fund", 3), "AAAA")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(("account", "amount", "currency", "fund", "postings", "salt", "value"))
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(JSON_VALUES)
def test_parsers_of_values(value: Any) -> None:
    entry = parse_entry(next(text for text in ENTRIES if b'"donor"' in text))
    tamed(lambda: parse_postings(value))
    tamed(lambda: parse_proof(value, "x"))
    tamed(lambda: check_opening(entry, "donor", value))
    tamed(lambda: canonical.from_base64(value))
    if isinstance(value, dict):
        tamed(lambda: parse_header(value, None))
    with contextlib.suppress(InvalidError):
        assert canonical.parse(canonical.encode(value)) == value


@settings(max_examples=200)
@given(
    st.lists(st.binary(min_size=32, max_size=32), max_size=6),
    st.integers(-3, 2**60),
    st.integers(-3, 2**60),
)
def test_proofs(proof: list[bytes], index: int, size: int) -> None:
    tamed(lambda: verify_inclusion(bytes(32), index, size, proof, bytes(32)))
    tamed(lambda: verify_consistency(index, bytes(32), size, bytes(32), proof))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_files_that_people_give(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "file"
    name = str(path)
    path.write_bytes(data.draw(damaged(RECEIPT, NOTE.encode(), POLICY, EXPORT[:3000])))
    for read in (read_key, read_policy, read_head, claim_of_receipt, claim_of_export):
        tamed(lambda read=read: read(name))  # type: ignore[misc]  # bound now, not later
    tamed(lambda: read_side(name, TRUST))
    path.write_bytes(data.draw(damaged(b'{"hash": "%b", "seq": 3}' % (b"0" * 64))))
    tamed(lambda: read_head(name))


@settings(max_examples=40)
@given(damaged(b"\n".join((FIRST, *ROWS[:12])) + b"\n"))
def test_whole_exports(data: bytes) -> None:
    tamed(lambda: verify_export(io.BytesIO(data), TRUST))


SIGNER = Signer(GOLDEN["origin"], bytes.fromhex(GOLDEN["log_key_seed_hex"]))
FILES = MadeLog(SIGNER, ENTRIES).files()


@pytest.fixture(scope="module")
def saved_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    with contextlib.closing(MonitorState(folder, KEY)) as state:
        monitor = Monitor(state, TRUST, FILES.get)
        assert monitor.see(FILES["checkpoint"].decode(), 1).reason == "ok"
    return folder / "state.sqlite"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_states_of_a_monitor(saved_state: Path, tmp_path: Path, data: st.DataObject) -> None:
    (tmp_path / "checkpoint").unlink(missing_ok=True)
    (tmp_path / "state.sqlite-journal").unlink(missing_ok=True)
    valid = saved_state.read_bytes()
    place = data.draw(st.integers(0, len(valid) // 512)) * 512
    piece = data.draw(damaged(valid[place : place + 512]))
    (tmp_path / "state.sqlite").write_bytes(valid[:place] + piece + valid[place + 512 :])

    def look() -> None:
        state = MonitorState(tmp_path, KEY)
        with contextlib.closing(state), contextlib.suppress(StoreError):
            Monitor(state, TRUST, FILES.get).see(FILES["checkpoint"].decode(), 2)

    tamed(look)


@settings(max_examples=60)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_whole_logs(name: str, data: st.DataObject) -> None:
    files = FILES | {name: data.draw(damaged(FILES[name]))}
    tamed(lambda: audit_log(files.get, TRUST, Kept([NOTE])))
    old, new = (open_checkpoint(note, KEY)[0] for note in (NOTE, FILES["checkpoint"].decode()))
    sides = (
        Side("old", NOTE, Signed(old, ())),
        Side("new", FILES["checkpoint"].decode(), Signed(new, ()), files.get),
    )
    tamed(lambda: compare(*sides))


@settings(max_examples=60)
@given(st.binary(max_size=300), st.integers(0, 2**40), st.integers(0, 2**40))
def test_tiles_of_any_length(data: bytes, index: int, size: int) -> None:
    tree = TileTree(size, lambda level, number, width: data)
    tamed(lambda: tree.prove_inclusion(index))
    tamed(lambda: tree.prove_consistency(index))
    tamed(tree.root)


def test_no_pattern_backtracks_for_long() -> None:
    """Inputs that make a careless pattern take for ever; they end at once or the suite does not."""
    for pattern in (b"a_" * 30_000, b'"\\"' * 20_000, b"Assets:A" * 8_000, b"0-" * 30_000):
        tamed(lambda pattern=pattern: canonical.parse(b'{"' + pattern + b'":1}'))  # type: ignore[misc]  # bound now, not later
        tamed(lambda pattern=pattern: parse_policy(text(pattern)))  # type: ignore[misc]  # bound now
        tamed(lambda pattern=pattern: parse_verifier_key(text(pattern)))  # type: ignore[misc]  # bound now
