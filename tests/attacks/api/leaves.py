"""The fields of requests down to their texts and numbers, each with all that is asked of it."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter

from edge.operations import OPERATIONS

Leaf = tuple[str, TypeAdapter[Any]]


def leaves(kind: type) -> dict[str, TypeAdapter[Any]]:
    """Every `str` or `int` in the body of every operation, by operation and path."""
    found: dict[str, TypeAdapter[Any]] = {}
    for operation in OPERATIONS:
        if operation.body is not None:
            for path, adapter in _of_model(operation.body, kind, (operation.body,)):
                found[f"{operation.identifier} {path}"] = adapter
    return found


def _of_model(
    model: type[BaseModel], kind: type, seen: tuple[type, ...], path: str = ""
) -> Iterator[Leaf]:
    for name, field in model.model_fields.items():
        inner = f"{path}.{name}" if path else name
        yield from _of(field.annotation, list(field.metadata), kind, seen, inner)


def _of(
    annotation: Any, metadata: list[Any], kind: type, seen: tuple[type, ...], path: str
) -> Iterator[Leaf]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation is kind:
        asked: Any = Annotated[(kind, *metadata)] if metadata else kind
        yield path, TypeAdapter(asked, config=ConfigDict(strict=True))
    elif origin is Annotated:
        yield from _of(inner[0], [*inner[1:], *metadata], kind, seen, path)
    elif origin in (Union, types.UnionType):
        for part in inner:
            yield from _of(part, metadata, kind, seen, path)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in seen:
            yield from _of_model(annotation, kind, (*seen, annotation), path)
    elif origin in (list, tuple, dict, set, frozenset):
        for part in inner:
            if part is not Ellipsis:
                yield from _of(part, [], kind, seen, f"{path}.0")
