"""What proxies say of the request that reached them: whose it was, and whether it came by https.

One kind of field is believed, since a proxy that sets one may pass the client's own other on:
`X-Forwarded-For` and `-Proto`, or `Forwarded` (RFC 7239). Only trusted hops are heard at all.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Literal

from aiohttp import web
from multidict import CIMultiDictProxy

from edge.errors import ProblemError
from edge.limits import addresses
from edge.limits.addresses import Network

Kind = Literal["x-forwarded", "forwarded"]
KINDS: Final[tuple[Kind, ...]] = ("x-forwarded", "forwarded")
Headers = CIMultiDictProxy[str]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Asked from beside us, by whoever watches this process.
_PROBES: Final = frozenset({"/livez", "/readyz", "/metrics"})
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR: Final = re.compile(rf'\s*({_WORD})=({_WORD}|"(?:[^"\\]|\\.)*")\s*')
#: What stands where a hop said nothing that can be read: nobody's address, no scheme.
UNKNOWN: Final = "unknown"


def addresses_of(headers: Headers, kind: Kind) -> list[str]:
    """Each hop's word on who asked it, outermost first, as `addresses.client_of` reads them."""
    if kind == "x-forwarded":
        return headers.getall("X-Forwarded-For", [])
    return [element.get("for", UNKNOWN) for element in _elements(headers)]


def schemes_of(headers: Headers, kind: Kind) -> list[str]:
    """Each hop's word on how it was asked."""
    if kind == "x-forwarded":
        fields = headers.getall("X-Forwarded-Proto", [])
        return [part.strip().lower() for field in fields for part in field.split(",")]
    return [element.get("proto", UNKNOWN).lower() for element in _elements(headers)]


def is_https(
    peer: str | None, is_encrypted: bool, headers: Headers, trusted: Sequence[Network], kind: Kind
) -> bool:
    """Whether the client's own connection was encrypted, to us or to a hop that we trust.

    Every hop must say so: none may have been asked in clear.
    """
    if peer is None or addresses.peer_of(peer, trusted) is not None:
        return is_encrypted
    schemes = schemes_of(headers, kind)
    return bool(schemes) and all(scheme == "https" for scheme in schemes)


def requiring_https(trusted: Sequence[Network], kind: Kind) -> Any:
    """A middleware: ProblemError 403 for requests that somebody on the way could have read."""

    @web.middleware
    async def require(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in _PROBES and not is_https(
            request.remote, request.scheme == "https", request.headers, trusted, kind
        ):
            raise ProblemError("https_required")
        return await handler(request)

    return require


def _elements(headers: Headers) -> list[dict[str, str]]:
    """The forwarded-elements (RFC 7239, section 4); one that is malformed says nothing."""
    return [
        _element(text)
        for field in headers.getall("Forwarded", [])
        for text in _split(field, ",")
        if text.strip()
    ]


def _element(text: str) -> dict[str, str]:
    pairs = [_PAIR.fullmatch(part) for part in _split(text, ";") if part.strip()]
    names = [pair[1].lower() for pair in pairs if pair]
    if None in pairs or len(set(names)) != len(names):
        return {}
    return {pair[1].lower(): _unquoted(pair[2]) for pair in pairs if pair}


def _split(text: str, separator: str) -> list[str]:
    """Split where the separator stands outside of quotes, in one pass over what anybody sent."""
    parts, is_quoted = [""], False
    for piece in re.findall(rf'\\.|"|{separator}|[^\\"{separator}]+|\\', text):
        if piece == separator and not is_quoted:
            parts.append("")
            continue
        is_quoted ^= piece == '"'
        parts[-1] += piece
    return parts


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
