"""Campaigns for members (`/v1/organizations/…`) and for everybody (`/v1/public/…`)."""

import re
from collections.abc import Collection
from typing import Final

from aiohttp import web

from edge import resources
from edge.caller import ORGANIZATION, caller_of
from edge.campaigns.models import CampaignCreation
from edge.campaigns.service import Campaigns
from edge.errors import ProblemError
from edge.http import json_response, refuse_query, tagged
from edge.listing import read_page
from edge.public.service import PublicLedger

_CAMPAIGN: Final = re.compile(r"camp_[0-7][0-9a-hjkmnp-tv-z]{25}")
_SLUG: Final = re.compile(r"[a-z0-9](-?[a-z0-9]){1,62}")
_FILTERS: Final[dict[str, Collection[str] | re.Pattern[str]]] = {
    "status": ("draft", "active", "paused", "completed", "cancelled"),
    "kind": ("organizational", "personal", "team", "event"),
    "project": re.compile(r"proj_[0-7][0-9a-hjkmnp-tv-z]{25}"),
}
_FOR_ALL: Final = {"Cache-Control": "public, max-age=15"}


class CampaignRoutes:
    """Handlers, behind the gate but for the public ones."""

    def __init__(self, campaigns: Campaigns, public: PublicLedger, fingerprint_key: bytes) -> None:
        self._campaigns = campaigns
        self._public = public
        self._fingerprint_key = fingerprint_key

    async def list(self, request: web.Request) -> web.Response:
        """A page of campaigns."""
        page = await self._campaigns.page(request[ORGANIZATION].id, read_page(request, _FILTERS))
        return json_response(page, headers=resources.OWN)

    async def create(self, request: web.Request) -> web.Response:
        """201 with the new campaign."""
        command = await resources.read_command(
            request, CampaignCreation, caller_of(request), self._fingerprint_key
        )
        organization = request[ORGANIZATION].id
        (value, version), is_replay = await self._campaigns.create(organization, command)
        location = f"/v1/organizations/{organization}/campaigns/{value['id']}"
        return resources.made(value, location, version=version, is_replay=is_replay)

    async def show(self, request: web.Request) -> web.Response:
        """One campaign. Its sums change without a new version: no answer stands for a later one."""
        refuse_query(request)
        name = _name_in(request)
        value, version = await self._campaigns.show(request[ORGANIZATION].id, name)
        return resources.shown_anew(value, version)

    async def change(self, request: web.Request) -> web.Response:
        """The campaign, changed."""
        change = await resources.read_change(request)
        identifier = request.match_info["campaign"]
        if not _CAMPAIGN.fullmatch(identifier):
            raise ProblemError("campaign_not_found")
        value, version = await self._campaigns.change(request[ORGANIZATION].id, identifier, change)
        return resources.shown(request, value, version)

    async def public_list(self, request: web.Request) -> web.Response:
        """A page of the campaigns that take gifts now."""
        page = read_page(request)
        value = await self._campaigns.public_page(await self._organization(request), page)
        return json_response(value, headers=_FOR_ALL)

    async def public_show(self, request: web.Request) -> web.Response:
        """One campaign as everybody sees it."""
        refuse_query(request)
        slug = request.match_info["campaign"]
        if not _SLUG.fullmatch(slug):
            raise ProblemError("campaign_not_found")
        value = await self._campaigns.public(await self._organization(request), slug)
        return tagged(request, json_response(value, headers=_FOR_ALL))

    async def _organization(self, request: web.Request) -> str:
        return (await self._public.organization(request.match_info["slug"])).id


def _name_in(request: web.Request) -> str:
    name = request.match_info["campaign"]
    if not (_CAMPAIGN.fullmatch(name) or _SLUG.fullmatch(name)):
        raise ProblemError("campaign_not_found")
    return name
