"""Checks parameters strictly against small tables, with the errors that Stripe gives.

A check takes the raw value and its full name and returns the value to use. A `Shape` is a table
of checks; a name that is not in it is refused.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from deploy.sandbox.errors import StripeError, invalid_parameter

Check = Callable[[Any, str], Any]

TEXT_LENGTH_MAX = 5000
INTEGER_DIGITS_MAX = 18
METADATA_KEYS_MAX = 50
METADATA_KEY_LENGTH_MAX = 40
METADATA_VALUE_LENGTH_MAX = 500

_INTEGER = re.compile(f"-?[0-9]{{1,{INTEGER_DIGITS_MAX}}}")


class Shape:
    """The parameters of one request: a check for each name, and the names that must be there."""

    def __init__(self, fields: Mapping[str, Check], required: tuple[str, ...] = ()) -> None:
        self.fields = dict(fields)
        self._required = required

    def parse(self, raw: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
        """Return the checked values of the given names; raises StripeError (400)."""
        parsed = {}
        for name, value in raw.items():
            full_name = f"{prefix}[{name}]" if prefix else name
            check = self.fields.get(name)
            if check is None:
                raise invalid_parameter(
                    f"Received unknown parameter: {full_name[:200]}",
                    full_name[:200],
                    "parameter_unknown",
                )
            parsed[name] = check(value, full_name)
        for name in self._required:
            if name not in parsed:
                raise _missing(f"{prefix}[{name}]" if prefix else name)
        return parsed


def _missing(name: str) -> StripeError:
    return invalid_parameter(f"Missing required param: {name}.", name, "parameter_missing")


def _string(value: Any, name: str, expected: str = "string") -> str:
    if not isinstance(value, str):
        raise invalid_parameter(f"Invalid {expected}: {name}", name)
    if value == "":
        raise invalid_parameter(
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to "
            f"unset a parameter; however '{name}' cannot be unset. You should remove '{name}' "
            "from your request or supply a non-empty value.",
            name,
            "parameter_invalid_empty",
        )
    if "\x00" in value:
        raise invalid_parameter(f"Invalid string: {name} contains a NUL character", name)
    return value


def text(length_max: int = TEXT_LENGTH_MAX) -> Check:
    """A non-empty string of at most `length_max` characters."""

    def check(value: Any, name: str) -> str:
        checked = _string(value, name)
        if len(checked) > length_max:
            raise invalid_parameter(
                f"Invalid string: {checked[:20]}...; must be at most {length_max} characters",
                name,
                "parameter_invalid_string_too_long",
            )
        return checked

    return check


def integer(minimum: int, maximum: int | None = None) -> Check:
    """A decimal integer within bounds, both included."""

    def check(value: Any, name: str) -> int:
        checked = _string(value, name, "integer")
        if not _INTEGER.fullmatch(checked):
            raise invalid_parameter(
                f"Invalid integer: {checked[:40]}", name, "parameter_invalid_integer"
            )
        number = int(checked)
        if number < minimum:
            limit = f"greater than or equal to {minimum}"
        elif maximum is not None and number > maximum:
            limit = f"less than or equal to {maximum}"
        else:
            return number
        raise invalid_parameter(f"This value must be {limit}.", name, "parameter_invalid_integer")

    return check


def boolean(value: Any, name: str) -> bool:
    """`true` or `false`."""
    checked = _string(value, name, "boolean")
    if checked not in ("true", "false"):
        raise invalid_parameter(f"Invalid boolean: {checked[:40]}", name)
    return checked == "true"


def one_of(*values: str) -> Check:
    """One of a few words."""
    listed = values[0] if len(values) == 1 else f"{', '.join(values[:-1])} or {values[-1]}"

    def check(value: Any, name: str) -> str:
        checked = _string(value, name)
        if checked not in values:
            raise invalid_parameter(f"Invalid {name}: must be one of {listed}", name)
        return checked

    return check


def texts(item: Check | None = None, count_max: int = 100) -> Check:
    """A list of strings, each satisfying `item`."""
    check_item = item or text()

    def check(value: Any, name: str) -> list[str]:
        if not isinstance(value, list):
            raise invalid_parameter("Invalid array", name)
        if len(value) > count_max:
            raise invalid_parameter(f"Array too long: at most {count_max} items", name)
        return [check_item(each, f"{name}[{index}]") for index, each in enumerate(value)]

    return check


def mapping(fields: Mapping[str, Check], required: tuple[str, ...] = ()) -> Check:
    """A nested mapping with its own table of checks."""
    shape = Shape(fields, required)

    def check(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise invalid_parameter("Invalid object", name)
        return shape.parse(value, name)

    return check


def each_of(item: Check) -> Check:
    """A mapping with any names, each value satisfying `item`."""

    def check(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise invalid_parameter("Invalid object", name)
        return {key: item(inner, f"{name}[{key}]") for key, inner in value.items()}

    return check


def ignored(value: Any, name: str) -> None:
    """A parameter that Stripe knows and the sandbox takes without effect."""


def metadata(value: Any, name: str) -> dict[str, str]:
    """Up to 50 texts by name; an empty text removes the name, an empty value all of them."""
    if value == "":
        return {}
    if not isinstance(value, dict):
        raise invalid_parameter("Invalid object", name)
    if len(value) > METADATA_KEYS_MAX:
        raise invalid_parameter(
            f"You can set at most {METADATA_KEYS_MAX} metadata keys at a time", name
        )
    for key, item in value.items():
        place = f"{name}[{key[:METADATA_KEY_LENGTH_MAX]}]"
        if not isinstance(item, str):
            raise invalid_parameter(f"Invalid string: {place}", place)
        if len(key) > METADATA_KEY_LENGTH_MAX or len(item) > METADATA_VALUE_LENGTH_MAX:
            raise invalid_parameter(
                f"Metadata keys can be up to {METADATA_KEY_LENGTH_MAX} characters long and "
                f"values up to {METADATA_VALUE_LENGTH_MAX}",
                place,
            )
    return value


def moment(value: Any, name: str) -> dict[str, int]:
    """A time in Unix seconds, or a range of `gt`, `gte`, `lt`, `lte`; returns the range."""
    seconds = integer(0)
    if isinstance(value, dict):
        return Shape(dict.fromkeys(("gt", "gte", "lt", "lte"), seconds)).parse(value, name)
    exact = seconds(value, name)
    return {"gte": exact, "lte": exact}
