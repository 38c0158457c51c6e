import re

import pytest

from edge import tracing

GIVEN = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("value", "flags"),
    [
        (f"00-{GIVEN}-{SPAN}-01", "01"),
        (f"00-{GIVEN}-{SPAN}-00", "00"),
        (f"00-{GIVEN}-{SPAN}-ff", "01"),
        (f"cc-{GIVEN}-{SPAN}-01-what-comes-later", "01"),
    ],
)
def test_a_trace_is_continued_under_a_span_of_our_own(value: str, flags: str) -> None:
    trace = tracing.continued([value])
    assert (trace.id, trace.flags) == (GIVEN, flags)
    assert trace.span != SPAN
    assert re.fullmatch(rf"00-{GIVEN}-[0-9a-f]{{16}}-{flags}", trace.parent)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        [f"00-{GIVEN}-{SPAN}-01"] * 2,
        [f"00-{GIVEN}-{SPAN}-01-more"],
        [f"00-{GIVEN}-{SPAN}-01\r\nX: y"],
        [f"00-{GIVEN.upper()}-{SPAN}-01"],
        [f"00-{'0' * 32}-{SPAN}-01"],
        [f"00-{GIVEN}-{'0' * 16}-01"],
        [f"ff-{GIVEN}-{SPAN}-01"],
        [f"00-{GIVEN}-{SPAN}"],
        [f"00-{GIVEN}-{SPAN}-1"],
        ["é" * 55],
    ],
)
def test_what_is_no_trace_begins_a_new_one(values: list[str]) -> None:
    trace = tracing.continued(values)
    assert trace.id != GIVEN
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", trace.parent)
