"""Problems as the edge shows them: `application/problem+json`.

Source: RFC 9457. A problem's `type` is an address at which the edge itself explains it.
"""

from typing import Any

import orjson

from edge.errors import PROBLEMS, ProblemError


def type_uri(base_url: str, code: str) -> str:
    """Where the edge explains a problem."""
    return f"{base_url}/problems/{code}"


def render(problem: ProblemError, *, base_url: str, instance: str, request_id: str) -> bytes:
    """The body of a problem. `instance` is the path asked for."""
    body: dict[str, Any] = {
        "type": type_uri(base_url, problem.code),
        "title": problem.kind.title,
        "status": problem.kind.status,
        "detail": problem.detail,
        "instance": instance,
        "code": problem.code,
        "request_id": request_id,
    }
    if problem.param is not None:
        body["param"] = problem.param
    if problem.faults:
        body["errors"] = [
            {"param": fault.param, "code": fault.code, "detail": fault.detail}
            for fault in problem.faults
        ]
    return orjson.dumps(body)


def explain(base_url: str, code: str) -> dict[str, Any]:
    """What the edge serves at a problem's `type`."""
    kind = PROBLEMS[code]
    return {
        "type": type_uri(base_url, code),
        "code": code,
        "status": kind.status,
        "title": kind.title,
        "advice": kind.advice,
    }
