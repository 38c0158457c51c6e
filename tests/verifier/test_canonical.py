import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amply_verify import canonical
from amply_verify.errors import CanonicalError

KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-canonical.INTEGER_MAX, canonical.INTEGER_MAX)
    | TEXTS
    | st.sampled_from(['":', '{"a":1}', '\\"', "\\\\u0000", "a b", "-0", "[" * 40]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


def test_the_vectors_are_written_and_read(load: Callable[[str], Any]) -> None:
    for case in load("canonical.json")["encode"]:
        data = bytes.fromhex(case["hex"])
        assert canonical.encode(case["value"]) == data
        assert canonical.parse(data) == case["value"]
        assert canonical.parse(data.decode()) == case["value"]


def test_the_vectors_to_refuse_are_refused(load: Callable[[str], Any]) -> None:
    texts = load("canonical.json")["refuse"]
    assert len(texts) == 38
    for text in texts:
        with pytest.raises(CanonicalError):
            canonical.parse(text)
        with pytest.raises(CanonicalError):
            canonical.parse(text.encode("utf-8", "surrogatepass"))


@given(VALUES)
def test_what_is_written_reads_back(value: Any) -> None:
    data = canonical.encode(value)
    assert canonical.parse(data) == value
    assert canonical.parse(data.decode()) == value


@given(VALUES, VALUES)
def test_different_values_have_different_bytes(one: Any, other: Any) -> None:
    # repr tells True from 1 and a list from its elements, as the bytes must.
    same = _spelling(one) == _spelling(other)
    assert (canonical.encode(one) == canonical.encode(other)) == same


@given(VALUES, st.data())
def test_any_other_spelling_is_refused(value: Any, data: st.DataObject) -> None:
    text = canonical.encode(value).decode()
    position = data.draw(st.integers(0, len(text)))
    inserted = data.draw(st.sampled_from([" ", "\n", "\\", '"', ",", "0", "-", "e1", "{", "]"]))
    changed = text[:position] + inserted + text[position:]
    try:
        read = canonical.parse(changed)
    except CanonicalError:
        return
    assert canonical.encode(read).decode() == changed


@pytest.mark.parametrize("space", [" ", "\n", "\t", "\r", "\r\n", "\u00a0", "\ufeff", "\v"])
def test_white_space_between_tokens_is_refused(space: str) -> None:
    text = '{"a":[1,"x"],"b":{}}'
    assert canonical.parse(text) == {"a": [1, "x"], "b": {}}
    for position in [i for i in range(len(text) + 1) if text[i - 1 : i + 1] not in ('"x', 'x"')]:
        changed = text[:position] + space + text[position:]
        if changed.count('"a"') + changed.count('"b"') == 2:
            with pytest.raises(CanonicalError):
                canonical.parse(changed)


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        2**53,
        -(2**53),
        "\ud800",
        "a\0",
        {"A": 1},
        {"": 1},
        {1: 1},
        {"a\n": 1},
        (1,),
        b"a",
        {"a": {1}},
    ],
)
def test_what_has_no_canonical_form_is_not_written(value: object) -> None:
    with pytest.raises(CanonicalError):
        canonical.encode(value)


@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}")])
def test_nesting_ends_at_sixteen(opening: str, closing: str) -> None:
    inner = "1" if opening != "[" else ""
    deep = opening * 16 + inner + closing * 16
    assert canonical.encode(canonical.parse(deep)).decode() == deep
    deeper = opening * 17 + inner + closing * 17
    with pytest.raises(CanonicalError, match="deeper than 16"):
        canonical.parse(deeper)
    with pytest.raises(CanonicalError, match="deeper than 16"):
        canonical.encode(json.loads(deeper))
    with pytest.raises(CanonicalError):
        canonical.parse(opening * 200_000)


def test_brackets_in_strings_do_not_nest() -> None:
    text = '{"a":"' + '[{\\"' * 100 + '"}'
    assert canonical.parse(text)["a"] == '[{"' * 100


@pytest.mark.parametrize(
    "text", ["YQ", "YQ=", "YR==", "YQ==\n", " YQ==", "Y-__", "", "ÄQ==", 1, None, "=", "YQ==YQ=="]
)
def test_base64_is_strict(text: object) -> None:
    if text == "":
        assert canonical.from_base64(text) == b""
        return
    with pytest.raises(CanonicalError):
        canonical.from_base64(text)


@given(st.binary())
def test_base64_reads_back(data: bytes) -> None:
    assert canonical.from_base64(canonical.to_base64(data)) == data


def test_a_flood_of_shapes_is_still_judged() -> None:
    for number in range(5000):
        assert canonical.parse(f'{{"a{number}":1,"b":2}}')["b"] == 2
    with pytest.raises(CanonicalError):
        canonical.parse('{"b":1,"a4999":2}')


def _spelling(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_spelling(value[key])}' for key in sorted(value))}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_spelling, value))}]"
    return repr(value)
