"""One witness asked about one checkpoint: proofs, other sizes, and answers that mean harm."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from amply_verify.note import Checkpoint, Signer
from tests.workers.witnesses.published import SIGNER, SIZES, Log, asked
from tests.workers.witnesses.witness import StandIn, serve, stand_in
from workers.witnesses.client import RESPONSE_BYTES_MAX
from workers.witnesses.decisions import Cosigned, Failed, OtherHistory, Refused


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


@pytest.fixture
async def witness() -> AsyncIterator[StandIn]:
    async with serve(stand_in("w", SIGNER.key)) as served:
        yield served


@pytest.mark.parametrize("known", [0, *SIZES])
async def test_a_witness_is_given_the_proof_from_what_it_knows(
    log: Log, witness: StandIn, known: int
) -> None:
    if known:
        witness.known[SIGNER.key.name] = Checkpoint(SIGNER.key.name, known, log.signed[known])
    answer = await log.ask(asked(witness), known)
    assert isinstance(answer, Cosigned)
    assert abs(answer.time_s - time.time()) < 60
    assert witness.known[SIGNER.key.name].size == 600
    assert len(witness.requests) == 1


@pytest.mark.parametrize("believed", [0, 1, 300, 600])
async def test_a_witness_that_knows_another_size_is_asked_from_there_once(
    log: Log, witness: StandIn, believed: int
) -> None:
    witness.known[SIGNER.key.name] = Checkpoint(SIGNER.key.name, 257, log.signed[257])
    assert isinstance(await log.ask(asked(witness), believed), Cosigned)
    assert [one.split("\n")[0] for one in witness.requests] == [f"old {believed}", "old 257"]


async def test_a_witness_that_never_agrees_on_a_size_is_asked_twice_and_no_more(
    log: Log, witness: StandIn
) -> None:
    headers = {"Content-Type": "text/x.tlog.size"}
    witness.instead = web.Response(status=409, body=b"300\n", headers=headers)
    assert isinstance(await log.ask(asked(witness), 1), Failed)
    assert len(witness.requests) == 2


@pytest.mark.parametrize("known", [299, 601, 5000])
async def test_a_size_that_was_never_signed_here_is_another_history(
    log: Log, witness: StandIn, known: int
) -> None:
    witness.known[SIGNER.key.name] = Checkpoint(SIGNER.key.name, known, bytes(32))
    answer = await log.ask(asked(witness), 1)
    assert isinstance(answer, OtherHistory)
    assert f"never signed: {known}" in answer.reason
    assert len(witness.requests) == 1, "nothing is proven to it"


async def test_another_root_at_a_size_that_was_signed_here_is_another_history(
    log: Log, witness: StandIn
) -> None:
    for size in (300, 600):
        witness.known[SIGNER.key.name] = Checkpoint(SIGNER.key.name, size, bytes(32))
        assert isinstance(await log.ask(asked(witness), 1), OtherHistory)


async def test_a_newer_checkpoint_of_ours_is_no_fault(log: Log, witness: StandIn) -> None:
    witness.known[SIGNER.key.name] = Checkpoint(SIGNER.key.name, 600, log.signed[600])
    assert isinstance(await log.ask(asked(witness), 255, size=300), Failed)


async def test_files_of_ours_that_prove_nothing_are_never_sent(log: Log, witness: StandIn) -> None:
    tile = log.folder / "tile/0/001"
    data = bytearray(tile.read_bytes())
    data[44 * 32] ^= 1
    tile.write_bytes(data)
    for _ in range(2):
        answer = await log.ask(asked(witness), 300)
        assert isinstance(answer, Failed) and "our own files" in answer.reason
        tile.unlink(missing_ok=True)
    assert not witness.requests


async def test_an_unknown_log_and_a_wrong_key_are_refusals(log: Log, witness: StandIn) -> None:
    witness.logs = {}
    assert isinstance(await log.ask(asked(witness), 0), Refused)
    witness.logs = {SIGNER.key.name: Signer(SIGNER.key.name, bytes(32)).key}
    assert isinstance(await log.ask(asked(witness), 0), Refused)


async def test_no_redirect_is_followed(log: Log, witness: StandIn) -> None:
    async with serve(stand_in("elsewhere", SIGNER.key)) as elsewhere:
        location = {"Location": f"{elsewhere.url}add-checkpoint"}
        witness.instead = web.Response(status=307, headers=location)
        assert isinstance(await log.ask(asked(witness), 0), Refused)
        assert not elsewhere.requests


async def test_an_endless_answer_is_not_read(log: Log, witness: StandIn) -> None:
    line = witness.cosign(Checkpoint(SIGNER.key.name, 600, log.signed[600]))
    witness.instead = web.Response(body=line.encode() + b"\n" * RESPONSE_BYTES_MAX)
    assert isinstance(await log.ask(asked(witness), 0), Refused)


async def test_nothing_is_decompressed(log: Log, witness: StandIn) -> None:
    line = witness.cosign(Checkpoint(SIGNER.key.name, 600, log.signed[600]))
    body, headers = gzip.compress(line.encode()), {"Content-Encoding": "gzip"}
    witness.instead = web.Response(body=body, headers=headers)
    assert isinstance(await log.ask(asked(witness), 0), Refused)


async def test_nobody_there_is_a_failure_of_the_moment(log: Log, witness: StandIn) -> None:
    witness.url = "http://127.0.0.1:9/"
    assert isinstance(await log.ask(asked(witness), 0), Failed)


async def test_no_answer_in_time_is_a_failure_of_the_moment(
    log: Log, witness: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.witnesses.client.TIMEOUT_S", 0.2)
    witness.held = asyncio.Event()
    assert await log.ask(asked(witness), 0) == Failed("TimeoutError")
