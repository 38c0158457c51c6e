"""Reading a JSON body strictly: bounded, UTF-8, one meaning only.

Refused are duplicate keys (two readers would see two values), NaN and Infinity, U+0000 (PostgreSQL
cannot keep it) and lone surrogates (they have no UTF-8), the latter two by the field's name.
"""

import json
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from edge.errors import Fault, ProblemError

DEPTH_MAX: Final = 16
_FAULTS_MAX: Final = 20

Model = TypeVar("Model", bound=BaseModel)


class _DuplicateKeyError(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _DuplicateKeyError
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)


def parse(body: bytes) -> dict[str, Any]:
    """The object in a body; ProblemError 400 when it is none, 422 when a text cannot be kept."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProblemError(
            "malformed_json", f"The body is not UTF-8: see byte {error.start}."
        ) from error
    try:
        value = _DECODER.decode(text)
    except _DuplicateKeyError as error:
        raise ProblemError("malformed_json", "An object names a field twice.") from error
    except json.JSONDecodeError as error:
        raise ProblemError(
            "malformed_json",
            f"The body is no JSON: see line {error.lineno}, column {error.colno}.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise ProblemError(
            "malformed_json", "The body holds a number or a nesting that is no usable JSON."
        ) from error
    if not isinstance(value, dict):
        raise ProblemError("malformed_json", "The body is JSON, but not an object.")
    # Only an escape can bring in what a decoded body cannot hold by itself.
    faults = list(_unusable(value, "", 0)) if "\\u" in text else []
    if faults:
        raise ProblemError("invalid_body", faults[0].detail, param=faults[0].param, faults=faults)
    return value


def validate(model: type[Model], body: dict[str, Any]) -> Model:
    """The request in a body; ProblemError 422 that names every faulty field."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
    faults = [
        Fault(
            ".".join(map(str, item["loc"])), item["type"], item["msg"].removeprefix("Value error, ")
        )
        for item in found[:_FAULTS_MAX]
    ]
    first = faults[0]
    raise ProblemError(
        "invalid_body", f"`{first.param}`: {first.detail}", param=first.param, faults=faults
    )


def _unusable(value: Any, path: str, depth: int) -> list[Fault]:
    if depth > DEPTH_MAX:
        return [Fault(path, "too_deep", "The body nests too deep.")]
    if isinstance(value, str):
        return _unusable_text(value, path)
    faults: list[Fault] = []
    if isinstance(value, dict):
        for key, part in value.items():
            if fault := _unusable_text(key, path):
                return fault
            faults += _unusable(part, f"{path}.{key}" if path else key, depth + 1)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            faults += _unusable(part, f"{path}.{number}" if path else str(number), depth + 1)
    return faults


def _unusable_text(text: str, path: str) -> list[Fault]:
    if "\0" in text:
        return [Fault(path, "nul_character", f"`{path}` holds the character U+0000.")]
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return [Fault(path, "lone_surrogate", f"`{path}` holds half of a surrogate pair.")]
    return []
