"""The OpenAPI 3.1 document, made of the models, the table of problems and that of operations.

`python -m edge.openapi` writes it to `edge/openapi.json`, where a test compares it.
"""

from pathlib import Path
from typing import Any, Final

import orjson
from pydantic.json_schema import models_json_schema

from edge.access import Access
from edge.errors import MEDIA_TYPE, PROBLEMS
from edge.operation import Operation
from edge.operations import OPERATIONS
from edge.organizations.relationships import SCOPES
from edge.sessions.operations import SCOPE as PERSON

COMMITTED: Final = Path(__file__).parent / "openapi.json"
_SCHEMAS: Final = "#/components/schemas/"
_DESCRIPTIONS: Final = {
    200: "Done.",
    201: "Made.",
    202: "Accepted.",
    204: "Done; there is nothing to say.",
    303: "See there.",
}
_HEADERS: Final = {
    "Amply-Entries": "How many entries the whole copy has.",
    "Content-Disposition": "A file name.",
    "Content-Location": "The address of exactly this copy; with `offset` it continues.",
    "ETag": "Of these bytes.",
    "Idempotent-Replayed": "`true` when an earlier request with this key did it.",
    "Location": "Where to look.",
    "Preference-Applied": "The preference that was honoured.",
    "RateLimit": "How much is left, and in how many seconds that changes; absent: not counted.",
    "RateLimit-Policy": "How often may be asked for this.",
    "X-Request-Id": "Name it when you ask us about a request.",
}
_ACCESS_TOKEN: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "A person's, of the provider that this server trusts (RFC 9068). Its scope"
    " `amply` allows whatever the person may do, any other what keys of that scope may.",
}
_SESSION: Final = {
    "type": "apiKey",
    "in": "cookie",
    "name": "__Host-amply_session",
    "description": "A person's browser, after `/v1/auth/login`. Writes must come from this origin.",
}
_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457. `type` is an address that explains the problem.",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "enum": sorted(PROBLEMS)},
        "param": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["param", "code", "detail"],
                "properties": {
                    "param": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}


def document() -> dict[str, Any]:
    """The document as a value."""
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    scopes = "Scopes: " + ", ".join(f"`{scope}`" for scope in SCOPES) + "."
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Amply",
            "version": "1",
            "description": "Donations whose ledger anyone can check.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {**_schemas(), "Problem": _PROBLEM},
            "headers": {
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in _HEADERS.items()
            },
            "securitySchemes": {
                "api_key": {"type": "http", "scheme": "bearer", "description": scopes},
                "access_token": _ACCESS_TOKEN,
                "session": _SESSION,
            },
        },
    }


def render() -> bytes:
    """The document as it is served and committed."""
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def _schemas() -> dict[str, Any]:
    schemas: dict[str, Any] = {}
    received = [operation.body for operation in OPERATIONS]
    sent = [operation.answer for operation in OPERATIONS]
    for models, mode in ((received, "validation"), (sent, "serialization")):
        pairs: Any = [(model, mode) for model in dict.fromkeys(models) if isinstance(model, type)]
        _, definitions = models_json_schema(pairs, ref_template=_SCHEMAS + "{model}")
        schemas |= definitions["$defs"]
    return schemas


def _operation(operation: Operation) -> dict[str, Any]:
    answer = operation.answer
    content: dict[str, Any]
    if isinstance(answer, type):
        content = {"application/json": {"schema": {"$ref": _SCHEMAS + answer.__name__}}}
    else:
        types = (answer,) if isinstance(answer, str) else answer
        content = {media_type: {"schema": {"type": "string"}} for media_type in types}
    limited = () if operation.rate == "exempt" else ("RateLimit", "RateLimit-Policy")
    names = ("X-Request-Id", *limited, *operation.headers)
    described: dict[str, Any] = {
        "operationId": operation.identifier,
        "summary": operation.summary,
        "security": _security(operation),
        "parameters": list(operation.parameters),
        "responses": {
            str(operation.status): {
                "description": _DESCRIPTIONS[operation.status],
                "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
                "content": content,
            },
            **_problems(operation.refusals),
        },
    }
    if operation.status == 201 and "Preference-Applied" in operation.headers:
        described["responses"]["202"] = {
            "description": "Accepted; see Location.",
            "content": content,
        }
    if "ETag" in operation.headers:
        described["responses"]["304"] = {"description": "Not changed."}
    if operation.scope:
        described["description"] = f"Needs the scope `{operation.scope}`."
    if operation.body is not None:
        schema = {"$ref": _SCHEMAS + operation.body.__name__}
        taken = ["application/json"]
        if operation.method == "patch":
            taken.append("application/merge-patch+json")
        described["requestBody"] = {
            "required": True,
            "content": {media_type: {"schema": schema} for media_type in taken},
        }
    return described


def _security(operation: Operation) -> list[dict[str, Any]]:
    """Any of these serves; what is a person's alone is closed to keys."""
    if not isinstance(operation.access, Access):
        return []
    names = ("access_token", "session")
    return [{name: []} for name in (names if operation.scope == PERSON else ("api_key", *names))]


def _problems(codes: tuple[str, ...]) -> dict[str, Any]:
    """One response per status; its description lists the codes."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return {
        str(status): {
            "description": "\n".join(
                f"`{code}`: {PROBLEMS[code].title}" for code in sorted(listed)
            ),
            "content": {MEDIA_TYPE: {"schema": {"$ref": _SCHEMAS + "Problem"}}},
        }
        for status, listed in sorted(by_status.items())
    }


if __name__ == "__main__":
    COMMITTED.write_bytes(render())
