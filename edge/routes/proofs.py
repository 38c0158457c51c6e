"""`/v1/public/log/{log}/proof/...`: proofs about the log's tree, for anyone and any web page."""

from typing import Any, Final

from aiohttp import web

from edge.errors import ProblemError
from edge.http import json_response, query_integer, refuse_query
from edge.proofs.service import Proofs

SIZE_MAX: Final = (1 << 53) - 1
#: Trees of a size never change, nor does the one note that was signed for it.
_IMMUTABLE: Final = {"Cache-Control": "public, max-age=31536000, immutable"}


class ProofRoutes:
    """Proofs in one log."""

    def __init__(self, proofs: Proofs, number: int) -> None:
        self._proofs = proofs
        self._number = str(number)

    async def inclusion(self, request: web.Request) -> web.Response:
        """That an entry is in the tree of a size."""
        self._require_log(request)
        refuse_query(request, "index", "size")
        size = query_integer(request, "size", None, 1, SIZE_MAX)
        index = query_integer(request, "index", None, 0, size - 1)
        return _answer(await self._proofs.inclusion(index, size))

    async def consistency(self, request: web.Request) -> web.Response:
        """That the tree of one size is a prefix of that of another."""
        self._require_log(request)
        refuse_query(request, "old", "new")
        new = query_integer(request, "new", None, 1, SIZE_MAX)
        old = query_integer(request, "old", None, 0, new)
        return _answer(await self._proofs.consistency(old, new))

    def _require_log(self, request: web.Request) -> None:
        if request.match_info["log"] != self._number:
            raise ProblemError("not_found", "There is no such log.")


def _answer(proof: dict[str, Any]) -> web.Response:
    return json_response(proof, headers=_IMMUTABLE)
