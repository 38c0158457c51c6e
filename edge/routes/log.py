"""`/log/<n>/...`: the log's static files, for anyone (C2SP tlog-tiles)."""

from typing import Final

from aiohttp import web

from edge.errors import ProblemError
from edge.http import refuse_query
from edge.published_log import PublishedLog

_TEXT: Final = "text/plain; charset=utf-8"
_BYTES: Final = "application/octet-stream"
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_NEWEST: Final = "public, max-age=1"
_KEY: Final = "public, max-age=300"


class LogRoutes:
    """Files of one log. What is not there yet may come: a 404 is never kept."""

    def __init__(self, log: PublishedLog) -> None:
        self._log = log

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A checkpoint, the verifier key, a tile or a bundle."""
        refuse_query(request)
        path = request.match_info["path"]
        number = request.match_info["log"]
        file = self._log.file(path) if number == str(self._log.number) else None
        if file is None:
            raise ProblemError("not_found")
        is_tile = path.startswith("tile/")
        caching = _IMMUTABLE if is_tile else _KEY if path == "vkey" else _NEWEST
        return web.FileResponse(
            file,
            headers={"Cache-Control": caching, "Content-Type": _BYTES if is_tile else _TEXT},
        )
