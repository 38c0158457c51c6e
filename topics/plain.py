"""Bodies as plain values: what a body's model accepts, in dicts and lists instead of models.

Making and dropping a model for each posting of an entry takes longer than checking it. The rules
are the model's own annotations, so there is nothing to keep in step.
"""

from collections.abc import Callable
from functools import cache
from types import GenericAlias, UnionType
from typing import Any, NotRequired, Union, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict  # pydantic asks for this one before Python 3.12

from contracts.message import Body


@cache
def plain_reader(body: type[Body]) -> Callable[[bytes], dict[str, Any]]:
    """Reads the JSON of a body; pydantic's ValidationError where the model would raise it.

    Unknown fields are ignored, a field that is absent stays absent. TypeError for a model with
    validators of its own, which its annotations do not tell.
    """
    read: Callable[[bytes], dict[str, Any]] = TypeAdapter(_plain(body)).validator.validate_json
    return read


def _plain(annotation: Any) -> Any:
    """The type with every model in it replaced by a dict of the same fields."""
    if isinstance(annotation, type) and issubclass(annotation, Body):
        return _plain_fields(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return Union[tuple(map(_plain, arguments))]  # noqa: UP007 - of a tuple made at run time
    if origin is tuple:
        item, _ = arguments  # A body's tuples are all of any length.
        return GenericAlias(list, (_plain(item),))
    return annotation


def _plain_fields(body: type[Body]) -> Any:
    decorators = body.__pydantic_decorators__
    if decorators.field_validators or decorators.model_validators or decorators.validators:
        raise TypeError(f"{body.__name__} has validators, which only the model itself can run")
    fields = {}
    for name, field in body.model_fields.items():
        annotation = _plain(field.rebuild_annotation())
        fields[name] = annotation if field.is_required() else NotRequired[annotation]
    made: Any = TypedDict(body.__name__, fields)  # type: ignore[misc] # made at run time
    return with_config(ConfigDict(extra="ignore"))(made)
