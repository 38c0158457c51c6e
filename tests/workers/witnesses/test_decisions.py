"""What the answers of a witness mean, row by row of the table in the module."""

import pytest

from amply_verify.note import COSIGNATURE, Checkpoint, Signer
from workers.witnesses import decisions
from workers.witnesses.decisions import (
    Answer,
    Cosigned,
    Failed,
    KnowsOtherSize,
    OtherHistory,
    Refused,
    Response,
    judge,
)

NOW_S = 1_800_000_000
CHECKPOINT = Checkpoint("log.example/log/0", 300, bytes(32))
NOTE = Signer(CHECKPOINT.origin, bytes(32)).sign(CHECKPOINT)
WITNESS = Signer("w.example", bytes([1]) * 32, COSIGNATURE)
OTHER = Signer("other.example", bytes([2]) * 32, COSIGNATURE)
LINE = WITNESS.line(CHECKPOINT.text, NOW_S)
SIZE = "text/x.tlog.size"


def judged(status: int, body: str | bytes = b"", content_type: str = "text/plain") -> Answer:
    raw = body.encode() if isinstance(body, str) else body
    return judge(Response(status, content_type, raw), NOTE, WITNESS.key, NOW_S)


def test_a_right_signature_counts() -> None:
    assert judged(200, LINE) == Cosigned(LINE, NOW_S)
    assert judged(200, LINE.rstrip("\n")) == Cosigned(LINE, NOW_S)


def test_lines_of_others_beside_it_are_ignored() -> None:
    others = OTHER.line(CHECKPOINT.text, NOW_S)
    assert judged(200, others + LINE + others) == Cosigned(LINE, NOW_S)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "thank you",
        OTHER.line(CHECKPOINT.text, NOW_S),
        WITNESS.line(CHECKPOINT._replace(size=301).text, NOW_S),
        WITNESS.line(CHECKPOINT.text, NOW_S - decisions.CLOCK_SKEW_S_MAX - 1),
        WITNESS.line(CHECKPOINT.text, NOW_S + decisions.CLOCK_SKEW_S_MAX + 1),
        f"{CHECKPOINT.text}\n{LINE}",
        b"\xff\xfe",
        Signer(WITNESS.key.name, bytes([1]) * 32).line(CHECKPOINT.text),
    ],
    ids=[
        "nothing", "no line", "another key", "another tree", "old", "from the future",
        "a whole note", "no text", "without a time",
    ],
)  # fmt: skip
def test_what_is_not_a_fresh_signature_of_this_checkpoint_does_not_count(body: str | bytes) -> None:
    assert isinstance(judged(200, body), Refused)


def test_a_conflict_names_the_size_that_the_witness_knows() -> None:
    assert judged(409, "77\n", SIZE) == KnowsOtherSize(77)
    assert judged(409, "0", SIZE) == KnowsOtherSize(0)


@pytest.mark.parametrize("body", ["", "-1\n", "077\n", "9" * 16, "9" * 99, "1\n2\n", "x"])
def test_a_conflict_without_a_plain_size_is_a_refusal(body: str) -> None:
    assert isinstance(judged(409, body, SIZE), Refused)
    assert isinstance(judged(409, "77\n"), Refused), "the type says that it is a size"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Failed) for status in (429, 502, 503, 504)),
        *((status, Refused) for status in (204, 301, 307, 308, 400, 401, 403, 404, 413, 500, 501)),
        (422, OtherHistory),
    ],
)
def test_every_other_status_has_its_meaning(status: int, kind: type[Answer]) -> None:
    assert isinstance(judged(status), kind)


def test_what_a_witness_writes_is_quoted_without_harm() -> None:
    answer = judged(500, "\x1b[31m\u202e" + "x" * 9999)
    assert isinstance(answer, Refused)
    assert answer.reason.isprintable() and answer.reason.isascii() and len(answer.reason) < 300


def test_the_body_has_the_order_of_the_standard() -> None:
    body = decisions.request_body(7, [bytes(32), b"\x01" * 32], NOTE)
    lines = body.decode().split("\n")
    assert lines[0] == "old 7" and lines[3] == "" and "\n".join(lines[4:]) == NOTE
    with pytest.raises(ValueError, match="at most 63"):
        decisions.request_body(7, [bytes(32)] * 64, NOTE)


def test_who_refuses_is_asked_less_and_less_often() -> None:
    pauses = [decisions.refused_pause_s(times) for times in range(1, 9)]
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert decisions.refused_pause_s(10_000) == 3600
