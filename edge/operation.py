"""One operation of the API, and what many of them share."""

from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

ALWAYS: Final = ("internal", "unavailable")
WITH_KEY: Final = ("unauthenticated", "key_of_other_environment", "scope_missing", *ALWAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A method on a path. `answer` is a model, or the media types of another content."""

    method: str
    path: str
    identifier: str
    summary: str
    status: int
    answer: type[BaseModel] | str | tuple[str, ...]
    problems: tuple[str, ...]
    scope: str | None = None
    body: type[BaseModel] | None = None
    parameters: tuple[dict[str, Any], ...] = ()
    headers: tuple[str, ...] = ()


def parameter(
    name: str, where: str, description: str, schema: dict[str, Any], *, required: bool = False
) -> dict[str, Any]:
    """A parameter as OpenAPI describes it; one of the path is always required."""
    return {
        "name": name,
        "in": where,
        "description": description,
        "required": required or where == "path",
        "schema": schema,
    }


SLUG: Final = parameter("slug", "path", "The organization's short name.", {"type": "string"})
