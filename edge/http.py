"""HTTP as every route needs it: bounded bodies, JSON answers, preferences, entity tags.

Sources: RFC 9110 (fields, conditional requests), RFC 7240 (Prefer).
"""

import asyncio
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import orjson
from aiohttp import web

from edge.errors import ProblemError

#: What a request's log line names beside the route: its id, who asked, ids of what it was about.
REQUEST_ID: Final = web.RequestKey("request_id", str)
TRACE: Final = web.RequestKey("trace", str)
ACTOR: Final = web.RequestKey("actor", str)
SUBJECTS: Final = web.RequestKey("subjects", dict[str, str])

BODY_S_MAX: Final = 10.0
WAIT_S_MAX: Final = 30
_WAIT: Final = re.compile(r"\s*wait\s*=\s*\"?([0-9]{1,9})\"?\s*(?:;.*)?", re.IGNORECASE)
_CHARSET: Final = r"\s*(;\s*charset=\"?utf-8\"?\s*)?"
_JSON: Final = re.compile(f"application/json{_CHARSET}", re.IGNORECASE)
#: RFC 7396 names the first; plain JSON is what many clients send.
_PATCH: Final = re.compile(f"application/(merge-patch\\+)?json{_CHARSET}", re.IGNORECASE)


Body = TypeVar("Body", bytes, bytearray)


async def read_body(request: web.Request, bytes_max: int) -> bytes:
    """The whole body; ProblemError 413 past the limit, 408 when it comes too slowly."""
    if request.content_length is not None and request.content_length > bytes_max:
        raise _too_large(bytes_max)
    # A compressed body could unfold to any size; nobody needs one here.
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ProblemError("unsupported_media_type", "Send the body without Content-Encoding.")
    if request.content.is_eof():  # A small body came with its head: nothing to wait for.
        return _bounded(request.content.read_nowait(), bytes_max)
    chunks = bytearray()
    try:
        async with asyncio.timeout(BODY_S_MAX):
            async for chunk in request.content.iter_any():
                chunks += chunk
                _bounded(chunks, bytes_max)
    except TimeoutError as error:
        raise ProblemError("request_timeout") from error
    return bytes(chunks)


def _bounded(body: Body, bytes_max: int) -> Body:
    if len(body) > bytes_max:
        raise _too_large(bytes_max)
    return body


def _too_large(bytes_max: int) -> ProblemError:
    return ProblemError("body_too_large", f"The body may have {bytes_max} bytes.")


def require_json(request: web.Request, *, is_patch: bool = False) -> None:
    """ProblemError 415 unless the content type is JSON, or a patch's, once, in UTF-8."""
    values = request.headers.getall("Content-Type", [])
    form = _PATCH if is_patch else _JSON
    if len(values) != 1 or not form.fullmatch(values[0]):
        raise ProblemError("unsupported_media_type")


def refuse_query(request: web.Request, *allowed: str) -> None:
    """ProblemError 422 for a query parameter that the route does not know, or that came twice."""
    for name in request.query:
        if name not in allowed or len(request.query.getall(name)) > 1:
            shown = name if re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name) else "(unprintable)"
            raise ProblemError(
                "query_not_accepted",
                f"The query parameter `{shown}` is not accepted here.",
                param=shown,
            )


def query_integer(
    request: web.Request, name: str, default: int | None, least: int, greatest: int
) -> int:
    """A whole number from the query; ProblemError 422 when it is none in the range.

    Without a default it must be there.
    """
    text = request.query.get(name)
    if text is None and default is not None:
        return default
    if (
        text is not None
        and text.isascii()
        and text.isdigit()
        and len(text) < 17
        and least <= int(text) <= greatest
    ):
        return int(text)
    raise ProblemError(
        "query_not_accepted",
        f"`{name}` must be a whole number from {least} to {greatest}.",
        param=name,
    )


def wait_preferred(request: web.Request) -> int | None:
    """The seconds of `Prefer: wait=N`, at most 30; None when nothing is preferred."""
    for value in request.headers.getall("Prefer", []):
        for part in value.split(","):
            if match := _WAIT.fullmatch(part):
                return min(int(match[1]), WAIT_S_MAX)
    return None


def json_response(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON answer. Nobody may keep it unless `headers` say otherwise."""
    return web.Response(
        body=value if isinstance(value, bytes) else orjson.dumps(value),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


async def begin(request: web.Request, response: web.StreamResponse) -> bool:
    """Send the head of an answer that is made while it is sent; False: nothing may follow (HEAD).

    aiohttp would send what is written after it, as the beginning of the next answer.
    """
    await response.prepare(request)
    if request.method != "HEAD":
        return True
    await response.write_eof()
    return False


def tagged(request: web.Request, response: web.Response) -> web.Response:
    """The answer with a strong ETag over its bytes, or 304 when the client has it."""
    assert isinstance(response.body, bytes)
    response.headers["ETag"] = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    return _unless_known(request, response)


def conditional(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """A whole answer that may be kept gets an ETag, unless it has one. Sources: RFC 9110, 13."""
    if (
        request.method not in ("GET", "HEAD")
        or response.status != 200
        or not isinstance(response, web.Response)
        or not isinstance(response.body, bytes)
        or "ETag" in response.headers
        or "no-store" in response.headers.get("Cache-Control", "no-store")
    ):
        return response
    return tagged(request, response)


def _unless_known(request: web.Request, response: web.Response) -> web.Response:
    tag = response.headers["ETag"]
    wanted = ",".join(request.headers.getall("If-None-Match", []))
    if wanted == "*" or tag in [part.strip().removeprefix("W/") for part in wanted.split(",")]:
        kept = {
            name: response.headers[name]
            for name in ("Cache-Control", "Content-Location", "ETag", "Vary", "Preference-Applied")
            if name in response.headers
        }
        return web.Response(status=304, headers=kept)
    return response
