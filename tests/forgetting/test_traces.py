"""The search finds what it is there to find: else its silence would prove nothing."""

import base64
import hashlib
import json
from pathlib import Path

import pytest

from tests.forgetting.traces import hits, hits_below, needles

MARK = "zqxmarker7741"
EMAIL = f"{MARK}@Example.org"
SOUGHT = needles(MARK, [f"Zoe {MARK}", EMAIL])


@pytest.mark.parametrize(
    "content",
    [
        EMAIL.encode(),
        b"x" + EMAIL.casefold().encode() + b"y",
        EMAIL.encode().hex().encode(),
        EMAIL.encode().hex().upper().encode(),
        base64.b64encode(hashlib.sha1(EMAIL.encode()).digest()),
        EMAIL.encode("utf-16-le"),
        json.dumps({"to": EMAIL}).encode().hex().encode(),
        base64.b64encode(json.dumps({"email": EMAIL}).encode()),
        base64.b64encode(json.dumps({"e": EMAIL}).encode()),
        base64.urlsafe_b64encode(json.dumps({"mail": EMAIL}).encode()),
        hashlib.sha256(EMAIL.casefold().encode()).hexdigest().encode(),
        b"\x00" + hashlib.md5(EMAIL.casefold().encode()).digest(),
    ],
)
def test_each_spelling_is_found(content: bytes) -> None:
    assert hits(content, SOUGHT)


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_bytes(b"zqxmarker774" * 10_000)
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "file").write_text(EMAIL)
    assert hits_below(tmp_path, SOUGHT, outside=[tmp_path / "mail"]) == []
    assert hits_below(tmp_path, SOUGHT)


def test_a_file_with_holes_is_searched_where_it_was_written(tmp_path: Path) -> None:
    with (tmp_path / "segment").open("wb") as file:
        file.truncate(1 << 30)
        file.seek(1 << 29)
        file.write(EMAIL.encode())
    assert hits_below(tmp_path, SOUGHT)
