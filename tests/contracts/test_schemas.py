"""Published schemas: current, true to the models, and only ever changed compatibly."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import schemas
from deploy.schema_changes import breaking_changes
from tests.workers.bench import gift, new
from topics.registry import DONATIONS_REQUESTED, TOPICS

NAMES = sorted(TOPICS)


def test_committed_files_are_current_and_keep_every_earlier_promise() -> None:
    assert schemas.main(["--check"]) == 0


@pytest.mark.parametrize("name", NAMES)
def test_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schemas.schema_of(TOPICS[name]))


def test_schema_takes_what_we_send_and_more() -> None:
    validator = jsonschema.Draft202012Validator(schemas.schema_of(DONATIONS_REQUESTED))
    body = orjson.loads(gift(new("org"), new("fund")).body.model_dump_json())
    validator.validate(body)
    validator.validate(body | {"a_field_of_tomorrow": 1})
    for wrong in ({"amount_minor": 0}, {"amount_minor": "25"}, {"currency": "XTS"}, {"fund": "f"}):
        assert not validator.is_valid(body | wrong)


def test_asyncapi_names_every_topic_and_sender_and_its_references_resolve() -> None:
    document = schemas.asyncapi()
    assert sorted(document["channels"]) == NAMES
    senders = sum(len(topic.senders) for topic in TOPICS.values())
    assert len(document["operations"]) == senders
    for channel in document["channels"].values():
        for message in channel["messages"].values():
            reference = message["payload"]["schema"]["$ref"]
            assert (schemas.ROOT / "topics" / reference).resolve().is_file()


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """Every object schema with fields, anywhere in a document."""
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict):
            yield node
        for value in node.values():
            yield from objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from objects(value)


def fields(document: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    return [(node, name) for node in objects(document) for name in node["properties"]]


@st.composite
def changed(draw: st.DrawFn, kind: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """A topic's schema before and after one change of this kind, at a random place."""
    name = draw(st.sampled_from(NAMES))
    old = schemas.schema_of(TOPICS[name])
    after = copy.deepcopy(old)
    node, field = draw(st.sampled_from(fields(after)))
    apply(kind, node, field)
    return name, old, after


def apply(kind: str, node: dict[str, Any], field: str) -> None:
    properties, required = node["properties"], node.setdefault("required", [])
    match kind:
        case "add":
            properties["a_field_of_tomorrow"] = {"type": "string"}
        case "widen":
            properties[field] = {"anyOf": [properties[field], {"type": "null"}]}
        case "remove":
            del properties[field]
            node["required"] = [name for name in required if name != field]
        case "rename":
            properties[field + "_new"] = properties.pop(field)
            node["required"] = [name + "_new" if name == field else name for name in required]
        case "require":
            properties["a_field_of_tomorrow"] = {"type": "string"}
            required.append("a_field_of_tomorrow")
        case "tighten":
            properties[field] = {"type": "string", "maxLength": 0, "pattern": "^$"}


@pytest.mark.parametrize("kind", ["add", "widen"])
@given(data=st.data())
def test_additions_pass(kind: str, data: st.DataObject) -> None:
    name, old, after = data.draw(changed(kind))
    assert breaking_changes(old, after) == [], name


@pytest.mark.parametrize("kind", ["remove", "rename", "require", "tighten"])
@given(data=st.data())
def test_what_takes_something_away_is_refused(kind: str, data: st.DataObject) -> None:
    name, old, after = data.draw(changed(kind))
    assert breaking_changes(old, after), name


BASE: dict[str, Any] = {
    "type": "object",
    "required": ["word", "count"],
    "properties": {
        "word": {"enum": ["a", "b"]},
        "count": {"type": "integer", "minimum": 0, "maximum": 10},
        "text": {"type": "string", "maxLength": 5},
        "rows": {"type": "array", "items": {"$ref": "#/$defs/Row"}},
    },
    "$defs": {"Row": {"type": "object", "properties": {"id": {"type": "string"}}}},
}


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("properties", "word", "enum"), ["a"], "body.word no longer allows b"),
        (("properties", "word", "enum"), ["a", "b", "c"], None),
        (("properties", "count", "maximum"), 9, "body.count has a tighter maximum"),
        (("properties", "count", "maximum"), 11, None),
        (("properties", "count", "minimum"), 1, "body.count has a tighter minimum"),
        (("properties", "count", "type"), "number", None),
        (("properties", "count", "type"), "string", "body.count is now only string"),
        (("properties", "text", "maxLength"), 4, "body.text has a tighter maxLength"),
        (("properties", "text", "pattern"), "^a", "body.text has another pattern"),
        (("required",), ["word", "count", "text"], "body.text became required"),
        (("required",), ["word"], "body.count may now be absent"),
        (("$defs", "Row", "properties"), {}, "body.rows[].id was removed"),
        (("$defs", "Row", "required"), ["id"], "body.rows[].id became required"),
    ],
)
def test_each_rule(path: tuple[str, ...], value: Any, sentence: str | None) -> None:
    after = copy.deepcopy(BASE)
    node: Any = after
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    assert breaking_changes(BASE, after) == ([] if sentence is None else [sentence])


def test_history_grows_and_a_broken_promise_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert schemas.main([], tmp_path) == 0
    assert schemas.main(["--check"], tmp_path) == 0
    [first] = schemas.history_of("donations.requested.v1", tmp_path)
    promised = orjson.loads(first.read_bytes())
    promised["properties"].pop("covers_fee")
    promised["required"].remove("covers_fee")
    first.write_bytes(schemas.spell(promised))
    assert schemas.main([], tmp_path) == 1
    assert "covers_fee became required" in capsys.readouterr().err
    assert len(schemas.history_of("donations.requested.v1", tmp_path)) == 1
    promised["properties"]["covers_fee"] = {"type": "boolean", "description": "an older text"}
    promised["required"].append("covers_fee")
    first.write_bytes(schemas.spell(promised))
    assert schemas.main(["--check"], tmp_path) == 1
    assert schemas.main([], tmp_path) == 0
    assert [path.stem for path in schemas.history_of("donations.requested.v1", tmp_path)] == [
        "1",
        "2",
    ]
