"""Proofs over HTTP: of any entry, between any two sizes, checked with the verifier's own code."""

import asyncio
import hashlib
from itertools import pairwise
from typing import Any

import pytest

from amply_verify import tree
from amply_verify.canonical import from_base64
from amply_verify.note import open_checkpoint, parse_verifier_key
from ledger import checkpoint
from ledger.publication import Directory
from ledger.tiles import Growth
from tests.edge.scribe import SIGNER, VKEY, folder
from tests.edge.stand import Served, Stand
from tests.engines import LoopThread

pytestmark = pytest.mark.asyncio

SIZES = (1, 255, 256, 257, 511, 513, 700)
UNPUBLISHED = (2, 200, 512, 699)
BASE = "/v1/public/log/0/proof"
ENTRIES = [hashlib.sha256(b"%d" % number).digest() for number in range(SIZES[-1])]
LEAVES = [tree.leaf_hash(entry) for entry in ENTRIES]


def root_at(size: int) -> bytes:
    return tree.root_of(LEAVES[:size])


def note_of(size: int) -> str:
    return checkpoint.sign([SIGNER], size, root_at(size))


@pytest.fixture(scope="module")
def published(stand: Stand, engine_loop: LoopThread) -> Stand:
    engine_loop.run(publish(stand))
    return stand


async def publish(stand: Stand) -> None:
    """Files as the publisher leaves them at the last size, and the notes of all sizes."""
    growth, directory = Growth(), Directory(folder(stand))
    for size in SIZES:
        files = growth.extend(ENTRIES[growth.size : size])
        directory.write_all((file.path, file.data) for file in files)
        directory.remove_partials(file.path for file in files if file.is_full)
        # The triggers would want the entries, which no proof reads.
        await stand.fetch(
            "WITH off AS (SELECT set_config('session_replication_role', 'replica', true)),"
            " note AS (INSERT INTO ledger.checkpoints (log, size, root, note, writer_epoch)"
            " SELECT 0, $1, $2, $3, 1 FROM off RETURNING log, size)"
            " INSERT INTO ledger.publications (log, size) SELECT log, size FROM note",
            size,
            root_at(size),
            note_of(size),
        )
    directory.write("checkpoint", note_of(SIZES[-1]).encode())
    directory.close()


def hashes(values: list[str]) -> list[bytes]:
    return [from_base64(value) for value in values]


async def test_an_entry_is_proven_in_every_size_published_or_not(
    published: Stand, edge: Served
) -> None:
    for size in SIZES + UNPUBLISHED:
        for index in sorted({0, size // 2, size - 1, max(0, size - 257)}):
            answer = await edge.get(f"{BASE}/inclusion?index={index}&size={size}")
            assert answer.status == 200, answer.body
            body = answer.json
            leaf, root = from_base64(body["leaf_hash"]), from_base64(body["root"])
            assert (leaf, root) == (LEAVES[index], root_at(size))
            assert (body["index"], body["size"], body["log"]) == (index, size, 0)
            tree.verify_inclusion(leaf, index, size, hashes(body["proof"]), root)
            check_note(body, size)
            assert "immutable" in answer.headers["Cache-Control"]
            assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_every_size_is_shown_to_continue_every_smaller_one(
    published: Stand, edge: Served
) -> None:
    sizes = sorted((0, *SIZES, *UNPUBLISHED))
    pairs = [*pairwise(sizes), *((old, SIZES[-1]) for old in sizes), (257, 513), (256, 512)]
    for old, new in pairs:
        answer = await edge.get(f"{BASE}/consistency?old={old}&new={new}")
        assert answer.status == 200, answer.body
        body = answer.json
        roots = from_base64(body["old_root"]), from_base64(body["root"])
        assert roots == (root_at(old), root_at(new))
        tree.verify_consistency(old, roots[0], new, roots[1], hashes(body["proof"]))
        check_note(body, new)


def check_note(body: dict[str, Any], size: int) -> None:
    if size in SIZES:
        signed, _ = open_checkpoint(body["checkpoint"], parse_verifier_key(VKEY))
        assert (signed.size, signed.root) == (size, root_at(size))
    else:
        assert body["checkpoint"] is None, "nobody signed this size"


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("inclusion?index=0", "size"),
        ("inclusion?size=10", "index"),
        ("inclusion?index=10&size=10", "index"),
        ("inclusion?index=-1&size=10", "index"),
        ("inclusion?index=0&size=0", "size"),
        ("inclusion?index=0&size=9007199254740992", "size"),
        ("inclusion?index=0&size=1e2", "size"),
        ("inclusion?index=0&size=10&size=11", "size"),
        ("inclusion?index=0&size=10&old=1", "old"),
        ("consistency?old=11&new=10", "old"),
        ("consistency?old=1", "new"),
        ("consistency?old=&new=10", "old"),
        ("consistency?old=1&new=%EF%BC%91", "new"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_by_name(
    published: Stand, edge: Served, path: str, param: str
) -> None:
    answer = await edge.get(f"{BASE}/{path}")
    assert (answer.status, answer.code, answer.json["param"]) == (422, "query_not_accepted", param)


@pytest.mark.parametrize(
    "path", ["inclusion?index=0&size=701", "consistency?old=700&new=9007199254740991"]
)
async def test_a_size_to_come_is_named_with_the_newest_and_not_kept_by_caches(
    published: Stand, edge: Served, path: str
) -> None:
    answer = await edge.get(f"{BASE}/{path}")
    assert (answer.status, answer.code) == (404, "size_not_published")
    assert "of 700 entries" in answer.json["detail"]
    assert answer.headers["Cache-Control"] == "no-store"


async def test_there_is_one_log(published: Stand, edge: Served) -> None:
    for number in ("1", "00", "x"):
        answer = await edge.get(f"/v1/public/log/{number}/proof/inclusion?index=0&size=1")
        assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/002.p/188", "tile/1/000.p/2"])
async def test_a_spoilt_tile_is_never_proven_from_and_all_else_still_is(
    published: Stand, path: str
) -> None:
    file = folder(published) / path
    whole = file.read_bytes()
    file.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    index = 512 if "002" in path else 0
    wanted = [f"{BASE}/inclusion?index={index}&size={size}" for size in (700, 699, 513)]
    wanted.append(f"{BASE}/consistency?old={index + 1}&new=699")
    try:
        async with published.serve() as edge:
            for question in wanted:
                spoilt = await edge.get(question)
                assert (spoilt.status, spoilt.code) == (503, "unavailable"), question
                assert spoilt.headers["Cache-Control"] == "no-store"
            if path == "tile/0/000":
                other = await edge.get(f"{BASE}/inclusion?index=300&size=700")
                assert other.status == 200
            file.write_bytes(whole)
            for question in wanted:
                assert (await edge.get(question)).status == 200, "and no restart is needed"
    finally:
        file.write_bytes(whole)


async def test_many_ask_at_once(published: Stand, edge: Served) -> None:
    paths = [f"{BASE}/inclusion?index={index}&size=700" for index in range(0, 700, 5)]
    answers = await asyncio.gather(*(edge.get(path) for path in paths))
    assert [answer.json["leaf_hash"] for answer in answers] == [
        (await edge.get(path)).json["leaf_hash"] for path in paths
    ]
    assert {answer.status for answer in answers} == {200}
