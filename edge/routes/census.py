"""`/v1/public/organizations/{slug}/ledger/census`: that its chain was counted, for anyone."""

from typing import Final

from aiohttp import web

from edge.census.service import Censuses
from edge.http import json_response, refuse_query, tagged
from edge.public.service import PublicLedger

_SHARED: Final = {"Cache-Control": "public, max-age=5"}


class CensusRoutes:
    """Handlers without a key."""

    def __init__(self, ledger: PublicLedger, censuses: Censuses) -> None:
        self._ledger = ledger
        self._censuses = censuses

    async def show(self, request: web.Request) -> web.Response:
        """The newest census in the newest checkpoint, and the proof that it counts this chain."""
        refuse_query(request)
        organization = await self._ledger.organization(request.match_info["slug"])
        proof = await self._censuses.proof(organization.id)
        return tagged(request, json_response(proof, headers=_SHARED))
