"""JSON Schemas of all messages and the AsyncAPI document, generated from the registry.

`python -m deploy.schemas` writes them, `--check` only says what is not current; both refuse a
change that breaks what was published. Every version that was ever written stays in the history:
a record of any age is still read, so a new schema is compared with all of them. The schemas are a
reader's: unknown fields are allowed, since producers may add some.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from deploy.schema_changes import breaking_changes
from topics.registry import TOPICS
from topics.topic import Topic

ROOT: Final = Path(__file__).parent.parent
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema_of(topic: Topic[Any]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a topic's bodies."""
    schema = _open(topic.body.model_json_schema())
    assert isinstance(schema, dict)
    return {"$schema": DIALECT, "$id": f"{topic.name}.json"} | schema


def _open(node: Any) -> Any:
    """The same schema for readers, who let unknown fields pass."""
    if isinstance(node, dict):
        return {
            key: _open(value)
            for key, value in node.items()
            if not (key == "additionalProperties" and value is False)
        }
    if isinstance(node, list):
        return [_open(value) for value in node]
    return node


_HEADERS: Final = {
    "type": "object",
    "description": "CloudEvents 1.0 in Kafka's binary mode.",
    "required": [
        "ce_specversion",
        "ce_id",
        "ce_type",
        "ce_source",
        "ce_time",
        "ce_organization",
        "content-type",
    ],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid"},
        "ce_type": {"type": "string", "description": "The topic's name."},
        "ce_source": {"const": "/amply"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_organization": {"type": "string", "pattern": "^org_[0-7][0-9a-hjkmnp-tv-z]{25}$"},
        "ce_cause": {"type": "string", "format": "uuid"},
        "content-type": {"const": "application/json"},
    },
}


def asyncapi() -> dict[str, Any]:
    """All topics as an AsyncAPI 3.0 document; payloads refer to the schema files."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Amply",
            "version": "1",
            "description": "What Amply's processes tell one another. Facts are in the past tense "
            "and have one sender; commands belong to their receiver.",
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(topic) for name, topic in TOPICS.items()},
        "operations": {
            f"{sender} sends {name}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{name}"},
                "summary": _summary(topic),
            }
            for name, topic in TOPICS.items()
            for sender in sorted(topic.senders)
        },
        "components": {"messageTraits": {"cloudevent": {"headers": _HEADERS}}},
    }


def _channel(topic: Topic[Any]) -> dict[str, Any]:
    retention_ms = -1 if topic.retention_days is None else topic.retention_days * 86_400_000
    policy = ["compact"] if topic.compacted else ["delete"]
    return {
        "address": topic.name,
        "description": topic.body.__doc__,
        "messages": {
            topic.body.__name__: {
                "name": topic.name,
                "summary": _summary(topic),
                "payload": {
                    "schemaFormat": "application/schema+json;version=draft-2020-12",
                    "schema": {"$ref": f"../contracts/schemas/{topic.name}.json"},
                },
                "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
            }
        },
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {"cleanup.policy": policy, "retention.ms": retention_ms},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _summary(topic: Topic[Any]) -> str:
    return str(topic.body.__doc__).split("\n", 1)[0]


def spell(document: dict[str, Any]) -> bytes:
    """The bytes that are committed."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def history_of(name: str, root: Path) -> list[Path]:
    """The versions of a topic's schema, oldest first."""
    folder = root / "contracts" / "schemas" / "history" / name
    return sorted(folder.glob("*.json"), key=lambda path: int(path.stem))


def broken(root: Path = ROOT) -> Iterator[str]:
    """One sentence for every promise that the models of today do not keep."""
    for name, topic in TOPICS.items():
        for path in history_of(name, root):
            for change in breaking_changes(orjson.loads(path.read_bytes()), schema_of(topic)):
                yield f"{name}, version {path.stem}: {change}"
    for folder in (root / "contracts" / "schemas" / "history").glob("*"):
        if folder.name not in TOPICS:
            yield f"{folder.name}: the topic was published and is gone"


def files(root: Path = ROOT) -> dict[Path, bytes]:
    """Every generated file and its content; a changed schema adds a version to the history."""
    generated = {root / "topics" / "asyncapi.json": spell(asyncapi())}
    for name, topic in TOPICS.items():
        content = spell(schema_of(topic))
        generated[root / "contracts" / "schemas" / f"{name}.json"] = content
        versions = history_of(name, root)
        if not versions or versions[-1].read_bytes() != content:
            folder = root / "contracts" / "schemas" / "history" / name
            generated[folder / f"{len(versions) + 1}.json"] = content
    return generated


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Entry point; 1 when a promise is broken or, with `--check`, a file is not current."""
    problems = list(broken(root))
    if not problems:
        stale = {
            path: content
            for path, content in files(root).items()
            if not path.is_file() or path.read_bytes() != content
        }
        if "--check" in arguments:
            problems = [f"{path.relative_to(root)} is not current" for path in sorted(stale)]
        else:
            for path, content in stale.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    for problem in problems:
        sys.stderr.write(problem + "\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
