"""Reading the served document: what a body may hold, field by field."""

from collections.abc import Iterator
from typing import Any

from edge.openapi import document

DOCUMENT = document()
JSON = "application/json"


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without its outermost reference."""
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def variants(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the schema may be, one by one."""
    schema = resolved(schema)
    inner = schema.get("anyOf", []) + schema.get("oneOf", []) + schema.get("allOf", [])
    if not inner:
        yield schema
    for part in inner:
        yield from variants(part)


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of a body with its dotted path, and the objects themselves ("" the outermost)."""
    for variant in variants(schema):
        yield path, variant
        for name, part in variant.get("properties", {}).items():
            yield from fields(part, f"{path}.{name}" if path else name)
        if isinstance(variant.get("items"), dict):
            yield from fields(variant["items"], f"{path}.0")


def undocumented(value: Any, schema: dict[str, Any], path: str = "") -> list[str]:
    """The fields of a value that its schema does not name."""
    known = list(variants(schema))
    if isinstance(value, list):
        items = [one["items"] for one in known if isinstance(one.get("items"), dict)]
        return [
            fault
            for number, part in enumerate(value)
            for fault in (undocumented(part, items[0], f"{path}.{number}") if items else [])
        ]
    if not isinstance(value, dict):
        return []
    named = {name: part for one in known for name, part in one.get("properties", {}).items()}
    is_open = any(one.get("additionalProperties", "properties" not in one) for one in known)
    faults = []
    for name, part in value.items():
        if name in named:
            faults += undocumented(part, named[name], f"{path}.{name}")
        elif not is_open:
            faults.append(f"{path}.{name}")
    return faults
