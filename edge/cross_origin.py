"""Which pages of the web may read an answer: CORS, and `OPTIONS` as such.

Anybody's page may read what is public. With a publishable key a page may make a gift and see what
became of it, where the key names the page's origin; no other route is for browsers. Nothing here
works by cookies, so credentials are never allowed. Sources: WHATWG Fetch, 3.2; RFC 6454.
"""

import re
from collections.abc import Iterable
from typing import Final

from aiohttp import web

from edge.errors import ProblemError

#: The origins of the publishable key that a request came with; absent: it came with none.
ORIGINS: Final = web.RequestKey("origins", frozenset[str])

_PUBLIC: Final = re.compile(r"/v1/public/.*|/log/.*|/problems(/.*)?|/openapi\.json")
_KEYED: Final = re.compile(r"/v1/donations(/[^/]+(/(attempts|cancel))?)?")
_METHODS: Final = frozenset({"GET", "HEAD", "POST"})
_MAY_SEND: Final = (
    "Authorization, Content-Type, Idempotency-Key, If-None-Match, Prefer, Range, traceparent,"
    " X-Request-Id"
)
_MAY_SEE: Final = (
    "Amply-Entries, Content-Location, ETag, Idempotent-Replayed, Location, Preference-Applied,"
    " RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
)
_PREFLIGHT_S: Final = 7200


def require_origin(request: web.Request) -> None:
    """ProblemError 403 when a publishable key is used by a page that it does not name."""
    allowed = request.get(ORIGINS)
    origin = request.headers.get("Origin")
    if allowed is not None and origin is not None and origin not in allowed:
        raise ProblemError("origin_not_allowed")


def options(request: web.Request, allowed: Iterable[str]) -> web.Response:
    """The answer to OPTIONS: the methods there are, and to browsers what a page may send."""
    methods = frozenset(allowed)
    headers = {"Allow": ", ".join(sorted(methods | {"OPTIONS"})), "Cache-Control": "no-store"}
    is_for_pages = _PUBLIC.fullmatch(request.path) or _KEYED.fullmatch(request.path)
    if is_for_pages and "Access-Control-Request-Method" in request.headers:
        headers |= {
            # Whose key it will be is not told here: the request itself is refused then.
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Methods": ", ".join(sorted(methods & _METHODS)),
            "Access-Control-Allow-Headers": _MAY_SEND,
            "Access-Control-Max-Age": str(_PREFLIGHT_S),
        }
    return web.Response(status=204, headers=headers)


def mark(request: web.Request, response: web.StreamResponse) -> None:
    """Say on an answer which pages may read it."""
    if request.method == "OPTIONS":
        return
    if _PUBLIC.fullmatch(request.path):
        response.headers["Access-Control-Allow-Origin"] = "*"
    elif _KEYED.fullmatch(request.path):
        add_vary(response, "Origin")
        origin = request.headers.get("Origin")
        if origin is None:
            return
        if origin in request.get(ORIGINS, ()):
            response.headers["Access-Control-Allow-Origin"] = origin
        elif response.status >= 400:  # A developer should see why; it tells nobody's data.
            response.headers["Access-Control-Allow-Origin"] = "*"
        else:
            return
    else:
        return
    response.headers["Access-Control-Expose-Headers"] = _MAY_SEE


def add_vary(response: web.StreamResponse, name: str) -> None:
    """Name one more header that the answer depends on."""
    named = response.headers.get("Vary", "")
    if name.lower() not in {part.strip().lower() for part in named.split(",")}:
        response.headers["Vary"] = f"{named}, {name}" if named else name
