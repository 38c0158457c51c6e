"""Unicode in every text field (cases C-11 and C-23): refused precisely, or kept as it was sent."""

import orjson
import pytest
from pydantic import ValidationError

from edge import characters
from tests.attacks.api.leaves import leaves
from tests.attacks.api.world import World
from tests.edge.stand import gift

#: Text, what the refusal says.
REFUSED = [
    ("Ana\0B", "control characters"),
    ("Ana\x1b[31m", "control characters"),
    ("Ana\x85B", "control characters"),
    ("Ana\u2028B", "control characters"),
    ("Ana\r\nBcc: x@y.test", "control characters"),
    ("Ana \ud800", "surrogate"),
    ("Ana\u202eevil", "U+202E"),
    ("Ana\u2066evil\u2069", "U+202E"),
    ("Z" + "\u0335" * 300, "30 combining marks"),
    ("\u200b\u200b\u200d", "invisible"),
    ("\u3164", "invisible"),
    ("\u2800\u00ad\ufeff", "invisible"),
    ("\u0301\u0301", "invisible"),
    ("\U000e0041\U000e0042", "invisible"),
    ("   ", "white space"),
    ("\u00a0\u2003", "invisible"),
]
KEPT = [
    "Ana Example",
    "\u05d3\u05d5\u05d3 \u05d1\u05df-\u05d2\u05d5\u05e8\u05d9\u05d5\u05df 1948",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "Nguye\u0302\u0303n \u0110i\u0323nh",
    "\u0928\u092e\u0938\u094d\u0924\u0947",
    "O'Brien & <b>S\u00f6hne</b>",
    "=HYPERLINK(1)",
    "\u200eMar\u00eda\u200f",
    "a" + "\u0301" * 30,
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_what_cannot_be_kept_or_disguises_is_refused_with_its_reason(
    text: str, reason: str
) -> None:
    for kind in (characters.line, characters.lines):
        with pytest.raises(ValueError, match=reason.replace("+", r"\+")):
            kind(text)


@pytest.mark.parametrize("text", KEPT)
def test_what_people_are_called_is_kept_character_by_character(text: str) -> None:
    assert characters.line(text) == text
    assert characters.lines(f"{text}\n\t{text}") == f"{text}\n\t{text}"


TEXTS = leaves(str)


@pytest.mark.parametrize("field", TEXTS)
def test_every_text_of_every_request_refuses_them(field: str) -> None:
    for text, _ in REFUSED:
        if "\ud800" not in text:  # pydantic itself cannot be given one; JSON bodies can.
            with pytest.raises(ValidationError):
                TEXTS[field].validate_python(text)
                pytest.fail(f"{field} takes {text!r}")


def test_the_donors_name_is_among_the_texts() -> None:
    assert "createDonation donor.name" in TEXTS


@pytest.mark.parametrize(("text", "reason"), REFUSED)
async def test_a_donor_with_such_a_name_is_told_which_field_and_why(
    world: World, text: str, reason: str
) -> None:
    body = gift(world.a.slug, donor={"name": "NAME", "display": "public"})
    escaped = "".join(f"\\u{unit:04x}" for unit in _units(text)).encode()
    answer = await world.edge.donate(orjson.dumps(body).replace(b"NAME", escaped), world.a.secret)
    assert (answer.status, answer.code) == (422, "invalid_body")
    assert answer.json["param"] == "donor.name"
    assert "donor.name" in answer.json["detail"]


async def test_a_donor_with_a_name_of_the_world_is_taken(world: World) -> None:
    for text in KEPT:
        body = gift(world.a.slug, donor={"name": text, "display": "public"})
        assert (await world.edge.donate(body, world.a.secret)).status == 202, text


def _units(text: str) -> list[int]:
    raw = text.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(raw[place : place + 2]) for place in range(0, len(raw), 2)]
