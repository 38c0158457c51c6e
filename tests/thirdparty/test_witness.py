"""A witness's contract (C2SP tlog-witness): the real one and the tests' stand-in keep the same."""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import aiohttp
import pytest

from amply_verify.note import Signer
from tests.thirdparty.tools import BUILD_S_MAX, Tools, omniwitness
from tests.workers.witnesses.published import Log, asked
from tests.workers.witnesses.witness import serve, stand_in
from workers.witnesses.configuration import Witness
from workers.witnesses.decisions import (
    Answer,
    Cosigned,
    KnowsOtherSize,
    OtherHistory,
    Refused,
    Response,
    judge,
    request_body,
)

pytestmark = pytest.mark.timeout(BUILD_S_MAX)

SIGNERS = [Signer(f"log.example/log/{number}", bytes([number]) * 32) for number in range(30)]
FRESH = count()


@pytest.fixture(scope="module")
def real(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    folder = tmp_path_factory.mktemp("omniwitness")
    with omniwitness(tools, folder, [signer.key for signer in SIGNERS]) as witness:
        yield witness


@pytest.fixture(params=["omniwitness", "stand-in"])
async def witness(request: pytest.FixtureRequest) -> AsyncIterator[Witness]:
    async with AsyncExitStack() as stack:
        if request.param == "omniwitness":
            yield request.getfixturevalue("real")
        else:
            keys = [signer.key for signer in SIGNERS]
            yield asked(await stack.enter_async_context(serve(stand_in("w", *keys))))


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """A log that no witness has seen."""
    return Log(tmp_path / "log", SIGNERS[next(FRESH)])


async def post(
    witness: Witness, log: Log, old_size: int, size: int, proof: Sequence[bytes] = ()
) -> tuple[int, Answer]:
    """The status, and what it means to us."""
    body = request_body(old_size, proof, log.note(size))
    async with aiohttp.ClientSession() as session, session.post(witness.url, data=body) as answer:
        response = Response(answer.status, answer.content_type, await answer.read())
    return response.status, judge(response, log.note(size), witness.key, time.time())


async def seen(witness: Witness, log: Log, size: int) -> None:
    """Have the witness see a log at a size for the first time."""
    status, answer = await post(witness, log, 0, size)
    assert (status, type(answer)) == (200, Cosigned)


async def test_it_cosigns_what_it_sees_first_and_all_that_continues_it(
    witness: Witness, log: Log
) -> None:
    await seen(witness, log, 1)
    for old_size, size in ((1, 2), (2, 255), (255, 257), (257, 600), (600, 600)):
        proof = log.proof(old_size, size) if old_size < size else ()
        status, answer = await post(witness, log, old_size, size, proof)
        assert (status, type(answer)) == (200, Cosigned), (old_size, size)


async def test_asked_from_another_size_it_names_the_one_it_knows(
    witness: Witness, log: Log
) -> None:
    await seen(witness, log, 300)
    for old_size in (0, 257):
        proof = log.proof(old_size, 600) if old_size else ()
        assert await post(witness, log, old_size, 600, proof) == (409, KnowsOtherSize(300))
    status, answer = await post(witness, log, 300, 600, log.proof(300, 600))
    assert (status, type(answer)) == (200, Cosigned)
    assert await post(witness, log, 300, 300) == (409, KnowsOtherSize(600)), "it never goes back"


async def test_a_wrong_proof_is_another_history(witness: Witness, log: Log) -> None:
    await seen(witness, log, 300)
    right = log.proof(300, 600)
    for proof in ([bytes(32), *right[1:]], right[1:], [], [*right, bytes(32)]):
        status, answer = await post(witness, log, 300, 600, proof)
        assert (status, type(answer)) == (422, OtherHistory)


async def test_a_fork_is_refused_with_a_proof_of_its_own_and_at_the_same_size(
    witness: Witness, log: Log, tmp_path: Path
) -> None:
    fork = Log(tmp_path / "fork", log.signer, of="another entry")
    await seen(witness, log, 300)
    status, answer = await post(witness, fork, 300, 600, fork.proof(300, 600))
    assert (status, type(answer)) == (422, OtherHistory)
    status, answer = await post(witness, fork, 300, 300)
    assert (status, type(answer)) == (422, OtherHistory)


async def test_an_old_size_beyond_the_checkpoint_is_refused(witness: Witness, log: Log) -> None:
    await seen(witness, log, 300)
    status, answer = await post(witness, log, 300, 257)
    assert (status, type(answer)) == (400, Refused)


async def test_a_stranger_s_log_and_signature_are_refused_for_good(
    witness: Witness, log: Log, tmp_path: Path
) -> None:
    stranger = Log(tmp_path / "stranger", Signer("nobody.example/log/0", bytes(32)))
    status, answer = await post(witness, stranger, 0, 1)
    assert status in (404, 500) and type(answer) is Refused, "500 is what omniwitness says"
    forged = Log(tmp_path / "forged", Signer(log.signer.key.name, bytes(32)))
    status, answer = await post(witness, forged, 0, 1)
    assert status in (403, 500) and type(answer) is Refused


async def test_our_client_agrees_with_it_from_any_size_that_it_believed(
    witness: Witness, log: Log, tmp_path: Path
) -> None:
    for believed, size in ((0, 1), (255, 257), (0, 300), (1, 600), (600, 600)):
        assert isinstance(await log.ask(witness, believed, size), Cosigned), (believed, size)
    fork = Log(tmp_path / "fork", log.signer, of="another entry")
    assert isinstance(await fork.ask(witness, 1), OtherHistory)


async def test_the_real_one_remembers_over_a_restart(
    tools: Tools, log: Log, tmp_path: Path
) -> None:
    with omniwitness(tools, tmp_path, [log.signer.key]) as first:
        await seen(first, log, 300)
    with omniwitness(tools, tmp_path, [log.signer.key]) as again:
        assert await post(again, log, 0, 600) == (409, KnowsOtherSize(300))
