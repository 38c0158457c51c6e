"""Texts, days and short names as clients send them."""

import re
from datetime import date, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, Field

_LINE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _one_line(value: str) -> str:
    if _LINE.search(value):
        raise ValueError("it is one line without control characters")
    # Spaces without width print nothing either.
    if not any(character.isprintable() and not character.isspace() for character in value):
        raise ValueError("it needs a character that can be seen")
    return value


def _lines(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("it holds no control characters but line feeds and tabs")
    return value


def _day(value: str) -> str:
    if date.fromisoformat(value).isoformat() != value:
        raise ValueError("a day has the form YYYY-MM-DD")
    return value


def _moment(value: str) -> str:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None or not 2000 <= moment.year <= 9000:
        raise ValueError("a time has the form 2027-05-01T12:00:00Z, with its offset")
    return value


#: What a thing is called.
Title = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
#: A paragraph or two.
Text = Annotated[str, Field(max_length=2_000), AfterValidator(_lines)]
#: A page.
LongText = Annotated[str, Field(max_length=10_000), AfterValidator(_lines)]
Day = Annotated[
    str, Field(max_length=10, json_schema_extra={"format": "date"}), AfterValidator(_day)
]
Moment = Annotated[
    str, Field(max_length=40, json_schema_extra={"format": "date-time"}), AfterValidator(_moment)
]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9](-?[a-z0-9]){1,62}$")]


def day_of(value: str | None) -> date | None:
    """The date behind a `Day`."""
    return None if value is None else date.fromisoformat(value)


def moment_of(value: str | None) -> datetime | None:
    """The time behind a `Moment`."""
    return None if value is None else datetime.fromisoformat(value)
