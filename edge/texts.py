"""Texts, days and short names as clients send them."""

from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from edge.characters import line, lines


def _day(value: str) -> str:
    if date.fromisoformat(value).isoformat() != value:
        raise ValueError("a day has the form YYYY-MM-DD")
    return value


def _moment(value: str) -> str:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None or not 2000 <= moment.year <= 9000:
        raise ValueError("a time has the form 2027-05-01T12:00:00Z, with its offset")
    return value


Line = Annotated[str, AfterValidator(line)]
#: What a thing is called.
Title = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(line)]
#: A paragraph or two.
Text = Annotated[str, Field(max_length=2_000), AfterValidator(lines)]
#: A page.
LongText = Annotated[str, Field(max_length=10_000), AfterValidator(lines)]
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
