"""Receipts under `checkpoint.witnessed`, for those who trust witnesses more than the log."""

import time

import pytest

from amply_verify.errors import RefusedError
from amply_verify.note import COSIGNATURE, Signer, parse_checkpoint, split_note
from amply_verify.policy import parse_policy
from amply_verify.receipt import verify_receipt
from amply_verify.trust import Trust
from tests.edge.scribe import SIGNER, Scribe, folder
from tests.edge.stand import Answer, Served, Stand, gift, until

WITNESS = Signer("w.example", bytes([1]) * 32, COSIGNATURE)
POLICY = Trust(SIGNER.key, parse_policy(f"witness w {WITNESS.key}\nquorum w\n"))


def witness_the_newest(stand: Stand) -> str:
    """What the checkpoints process publishes once a quorum cosigned."""
    note = (folder(stand) / "checkpoint").read_text()
    note += WITNESS.line(split_note(note)[0], int(time.time()))
    (folder(stand) / "checkpoint.new").write_text(note)
    (folder(stand) / "checkpoint.new").replace(folder(stand) / "checkpoint.witnessed")
    return note


async def test_an_entry_that_witnesses_saw_gets_a_receipt_with_their_cosignatures(
    stand: Stand, edge: Served
) -> None:
    scribe, registered = Scribe(stand), await stand.register()

    async def give() -> str:
        posted = await edge.donate(gift(registered.id), registered.key.secret)
        await scribe.record(registered.id)
        await scribe.publish()
        return str(posted.headers["Location"]) + "/receipt"

    async def receipt(path: str) -> bytes:
        async def covered() -> Answer | None:
            answer = await edge.get(path, registered.key.secret)
            return answer if answer.status == 200 else None

        answer: Answer = await until(covered, "the gift is covered")
        return answer.body

    first = await give()
    note = witness_the_newest(stand)
    second = await give()
    assert (await edge.get("/log/0/checkpoint.witnessed")).body.decode() == note
    report = verify_receipt(await receipt(first), POLICY)
    assert [one.name for one in report.signed.cosignatures] == [WITNESS.key.name]
    assert report.signed.checkpoint == parse_checkpoint(split_note(note)[0])
    young = await receipt(second)
    assert verify_receipt(young, Trust(SIGNER.key)).signed.checkpoint.size > report.index
    with pytest.raises(RefusedError, match="not cosigned by the quorum"):
        verify_receipt(young, POLICY)
    witness_the_newest(stand)
    verify_receipt(await receipt(second), POLICY)
