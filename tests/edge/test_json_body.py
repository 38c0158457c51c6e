import pytest

from edge import json_body
from edge.errors import ProblemError


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b'"text"',
        b"null",
        b'{"a":1}x',
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":01}',
        b'{"a":"\x00"}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"a":1}',
        b"{'a':1}",
        b'{"a":' + b"1" * 5000 + b"}",
        b"[" * 30_000,
        b'{"a":' * 10_000,
    ],
)
def test_what_is_no_usable_json_is_refused_as_malformed(body: bytes) -> None:
    with pytest.raises(ProblemError) as refused:
        json_body.parse(body)
    assert (refused.value.code, refused.value.kind.status) == ("malformed_json", 400)


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        (rb'{"donor":{"name":"Ana\u0000B"}}', "donor.name", "nul_character"),
        (rb'{"donor":{"name":"\ud800"}}', "donor.name", "lone_surrogate"),
        (rb'{"donor":{"name":"\udc00\ud800"}}', "donor.name", "lone_surrogate"),
        (rb'{"list":["a","\u0000"]}', "list.1", "nul_character"),
        (rb'{"a":{"\u0000":1}}', "a", "nul_character"),
    ],
)
def test_a_text_that_cannot_be_kept_is_refused_by_its_field(
    body: bytes, param: str, code: str
) -> None:
    with pytest.raises(ProblemError) as refused:
        json_body.parse(body)
    assert refused.value.kind.status == 422
    assert [(fault.param, fault.code) for fault in refused.value.faults] == [(param, code)]


def test_what_is_usable_is_read_as_it_stands() -> None:
    body = rb'{"a":"\u00e9\ud83d\ude00","b":[1,2.5,true,null],"c":{}}'
    assert json_body.parse(body) == {"a": "é😀", "b": [1, 2.5, True, None], "c": {}}
