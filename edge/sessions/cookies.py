"""The two cookies: of a session, and of a login under way.

`__Host-` has browsers take them from this very host only, by https, for every path (RFC 6265bis).
On plain http, which settings allow on this machine only, browsers refuse that prefix.
"""

from typing import Final

from aiohttp import web

from edge.sessions.decisions import AGE_MAX, LOGIN_AGE_MAX

_SESSION: Final = "amply_session"
_LOGIN: Final = "amply_login"
_LENGTH_MAX: Final = 2_000


class Cookies:
    """Reads and writes them; `url` is the public base address."""

    def __init__(self, url: str) -> None:
        self._is_secure = url.startswith("https:")
        prefix = "__Host-" if self._is_secure else ""
        self._session = prefix + _SESSION
        self._login = prefix + _LOGIN

    def session(self, request: web.Request) -> str | None:
        """The session's secret."""
        return self._read(request, self._session)

    def login(self, request: web.Request) -> str | None:
        """The sealed login."""
        return self._read(request, self._login)

    def set_session(self, response: web.StreamResponse, secret: str) -> None:
        """Sign the browser in."""
        self._set(response, self._session, secret, int(AGE_MAX.total_seconds()))

    def set_login(self, response: web.StreamResponse, sealed: str) -> None:
        """Keep a login under way."""
        self._set(response, self._login, sealed, int(LOGIN_AGE_MAX.total_seconds()))

    def drop_session(self, response: web.StreamResponse) -> None:
        """Sign the browser out."""
        self._set(response, self._session, "", 0)

    def drop_login(self, response: web.StreamResponse) -> None:
        """The login is over, however it went."""
        self._set(response, self._login, "", 0)

    def _read(self, request: web.Request, name: str) -> str | None:
        value = request.cookies.get(name)
        return value if value and len(value) <= _LENGTH_MAX else None

    def _set(self, response: web.StreamResponse, name: str, value: str, age_s: int) -> None:
        response.set_cookie(
            name,
            value,
            max_age=age_s,
            path="/",
            secure=self._is_secure,
            httponly=True,
            samesite="Lax",
        )
