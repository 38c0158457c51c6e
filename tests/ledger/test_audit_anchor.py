"""Anchors of audit chains: signed by the log's key and by no other, whole or refused."""

from datetime import UTC, datetime, timedelta

import pytest

from amply_verify.note import Signer
from ledger import audit_anchor
from ledger.audit import AuditError, Head
from ledger.audit_anchor import Anchor, AnchorError
from ledger.checkpoint import sign as sign_checkpoint
from ledger.entry import spell_time
from tests.ledger.making import ORIGIN

LOG, OTHER = (Signer(ORIGIN, bytes([number]) * 32) for number in (7, 8))
FOREIGN = Signer("elsewhere.test/log/0", bytes([7]) * 32)
NOW = datetime(2027, 3, 1, tzinfo=UTC)


def anchor(chain: str = "platform", seq: int = 4) -> Anchor:
    return Anchor(chain, Head(seq, bytes([seq]) * 32), spell_time(NOW))


def test_what_was_written_is_read_with_who_signed_it() -> None:
    told = [anchor(), anchor("org_1", 0)]
    notes = [audit_anchor.sign(LOG, one) for one in told]
    found = audit_anchor.read(audit_anchor.write(notes), [LOG.key])
    assert found == {one.chain: (one, note) for one, note in zip(told, notes, strict=True)}
    assert audit_anchor.is_signed_by(notes[0], LOG)
    assert not audit_anchor.is_signed_by(notes[0], OTHER)
    assert audit_anchor.read(b"", [LOG.key]) == {}


@pytest.mark.parametrize(
    "note",
    [
        audit_anchor.sign(OTHER, anchor()),
        audit_anchor.sign(FOREIGN, anchor()),
        audit_anchor.sign(LOG, anchor()).replace("\n4\n", "\n3\n"),
        audit_anchor.sign(LOG, anchor()).replace("platform", "org_1"),
        audit_anchor.sign(LOG, anchor()._replace(head=Head(4, None))),
        audit_anchor.sign(LOG, anchor()._replace(moment="now\nand then")),
        sign_checkpoint([LOG], 4, bytes(32)),
        "",
        "amply/audit-head/v1\n",
    ],
)
def test_what_the_log_did_not_sign_as_an_anchor_is_refused(note: str) -> None:
    with pytest.raises(AnchorError):
        audit_anchor.open_note(note, [LOG.key])


def test_a_file_that_was_cut_or_doubled_is_refused() -> None:
    whole = audit_anchor.write([audit_anchor.sign(LOG, anchor())])
    for data in (whole[:-1], whole[:60], whole + whole, b"\xff" + whole, b"x" + whole):
        with pytest.raises(AnchorError):
            audit_anchor.read(data, [LOG.key])


def test_a_chain_is_followed_from_its_anchor_unless_retention_took_that() -> None:
    known, none = anchor(), Head(-1, None)
    assert audit_anchor.start_of(None, Head(2, b"x"), NOW) == Head(2, b"x")
    assert audit_anchor.start_of(known, none, NOW) == known.head
    assert audit_anchor.start_of(known, known.head, NOW) == known.head
    later = Head(9, bytes(32))
    for dropped in (later, Head(4, bytes(32))):
        with pytest.raises(AuditError) as error:
            audit_anchor.start_of(known, dropped, NOW)
        assert error.value.seq == 4
    assert audit_anchor.start_of(known, later, NOW + timedelta(days=7 * 365)) == later
