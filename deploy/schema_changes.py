"""Whether a new JSON Schema still keeps what an old one promised to writers and readers.

Allowed: a new optional field, a wider type, a looser bound, one more word in an enumeration.
Refused, in one sentence each: a field removed or renamed, a field that became required or may now
be absent, anything narrower, a changed pattern. What must change otherwise becomes a new topic.
"""

from collections.abc import Iterator
from typing import Any, Final

Schema = dict[str, Any]

_LEAST: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_MOST: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_SAME: Final = ("pattern", "format")


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What the new schema breaks of the old one; empty when the change is compatible."""
    return list(_Comparison(old, new).compare(old, new, "body"))


class _Comparison:
    """Two documents, each with definitions of its own."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new

    def compare(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        old, new = _resolve(old, self._old), _resolve(new, self._new)
        olds, news = _alternatives(old), _alternatives(new)
        if len(olds) == len(news) == 1:
            yield from self._compare_one(olds[0], news[0], place)
            return
        for alternative in olds:
            if not any(self._accepts(alternative, candidate) for candidate in news):
                resolved = _resolve(alternative, self._old)
                yield f"{place} no longer allows {resolved.get('type', 'an alternative')}"

    def _accepts(self, old: Schema, new: Schema) -> bool:
        return not any(self.compare(old, new, ""))

    def _compare_one(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        yield from _compare_types(old, new, place)
        yield from _compare_values(old, new, place)
        yield from _compare_bounds(old, new, place)
        yield from self._compare_fields(old, new, place)
        yield from self._compare_items(old, new, place)

    def _compare_fields(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        new_fields = new.get("properties", {})
        for name, schema in old.get("properties", {}).items():
            if name not in new_fields:
                yield f"{place}.{name} was removed"
            else:
                yield from self.compare(schema, new_fields[name], f"{place}.{name}")
        old_required, new_required = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(new_required - old_required):
            yield f"{place}.{name} became required"
        for name in sorted((old_required - new_required) & set(new_fields)):
            yield f"{place}.{name} may now be absent"

    def _compare_items(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        if "items" in new:
            yield from self.compare(old.get("items", {}), new["items"], f"{place}[]")


def _resolve(schema: Schema, document: Schema) -> Schema:
    while "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        siblings = {key: value for key, value in schema.items() if key != "$ref"}
        schema = document["$defs"][name] | siblings
    return schema


def _alternatives(schema: Schema) -> list[Schema]:
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return list(schema[word])
    return [schema]


def _types(schema: Schema) -> set[str] | None:
    declared = schema.get("type")
    if declared is None:
        return None
    types = {declared} if isinstance(declared, str) else set(declared)
    return types | {"integer"} if "number" in types else types


def _compare_types(old: Schema, new: Schema, place: str) -> Iterator[str]:
    before, after = _types(old), _types(new)
    if after is not None and (before is None or before - after):
        yield f"{place} is now only {' or '.join(sorted(after))}"


def _values(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    words: list[Any] | None = schema.get("enum")
    return words


def _compare_values(old: Schema, new: Schema, place: str) -> Iterator[str]:
    before, after = _values(old), _values(new)
    if after is None:
        return
    if before is None:
        yield f"{place} is now only one of a list"
        return
    for value in before:
        if value not in after:
            yield f"{place} no longer allows {value}"


def _compare_bounds(old: Schema, new: Schema, place: str) -> Iterator[str]:
    for word in _LEAST:
        if word in new and (word not in old or new[word] > old[word]):
            yield f"{place} has a tighter {word}"
    for word in _MOST:
        if word in new and (word not in old or new[word] < old[word]):
            yield f"{place} has a tighter {word}"
    for word in _SAME:
        if word in new and new[word] != old.get(word):
            yield f"{place} has another {word}"
