"""What the API offers of campaigns, to members and to everybody."""

from typing import Final

from edge.access import PUBLIC, Access
from edge.campaigns.models import (
    Campaign,
    CampaignChange,
    CampaignCreation,
    CampaignList,
    PublicCampaign,
    PublicCampaignList,
)
from edge.funds.operations import (
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    OF_CHANGES,
    OF_COMMANDS,
    PAGE,
    choice,
)
from edge.operation import ALWAYS, ORGANIZATION, SLUG, Operation, parameter
from edge.resources import patch_of

_LIST: Final = "/v1/organizations/{organization}/campaigns"
_ONE: Final = f"{_LIST}/{{campaign}}"
_PUBLIC_LIST: Final = "/v1/public/organizations/{slug}/campaigns"
_CAMPAIGN: Final = parameter(
    "campaign", "path", "The campaign's `camp_…` id, or its short name.", {"type": "string"}
)
_READ: Final = Access(scope="campaigns:read", permission="view_campaigns")
_WRITE: Final = Access(scope="campaigns:write", permission="manage_campaigns")
_OF_PLACES: Final = ("campaign_slug_taken", "fund_unknown", "project_unknown")
CampaignPatch: Final = patch_of(CampaignChange)

CAMPAIGNS: Final = (
    Operation(
        method="get",
        path=_LIST,
        identifier="listCampaigns",
        summary="The organization's campaigns, oldest first.",
        status=200,
        answer=CampaignList,
        access=_READ,
        parameters=(
            *(ORGANIZATION, *PAGE),
            choice(
                *("status", "In one state."),
                *("draft", "active", "paused", "completed", "cancelled"),
            ),
            choice("kind", "Of one kind.", "organizational", "personal", "team", "event"),
            choice("project", "Of one project."),
        ),
        problems=("query_not_accepted",),
    ),
    Operation(
        method="post",
        path=_LIST,
        identifier="createCampaign",
        summary="Make a campaign.",
        status=201,
        answer=Campaign,
        body=CampaignCreation,
        access=_WRITE,
        parameters=(ORGANIZATION, IDEMPOTENCY_KEY),
        headers=("Location", "ETag", "Idempotent-Replayed"),
        problems=(*_OF_PLACES, *OF_COMMANDS),
    ),
    Operation(
        method="get",
        path=_ONE,
        identifier="showCampaign",
        summary="One campaign, with what was given.",
        status=200,
        answer=Campaign,
        access=_READ,
        parameters=(ORGANIZATION, _CAMPAIGN),
        headers=("ETag",),
        problems=("campaign_not_found", "query_not_accepted"),
    ),
    Operation(
        method="patch",
        path=_ONE,
        identifier="changeCampaign",
        summary="Change a campaign. What is over stays over.",
        status=200,
        answer=Campaign,
        body=CampaignPatch,
        access=_WRITE,
        parameters=(ORGANIZATION, _CAMPAIGN, IF_MATCH),
        headers=("ETag",),
        problems=("campaign_not_found", "transition_not_allowed", *_OF_PLACES, *OF_CHANGES),
    ),
    Operation(
        method="get",
        path=_PUBLIC_LIST,
        identifier="listPublicCampaigns",
        summary="The campaigns that take gifts now, oldest first.",
        status=200,
        answer=PublicCampaignList,
        access=PUBLIC,
        parameters=(SLUG, *PAGE),
        problems=("organization_not_found", "query_not_accepted", *ALWAYS),
    ),
    Operation(
        method="get",
        path=f"{_PUBLIC_LIST}/{{campaign}}",
        identifier="showPublicCampaign",
        summary="A campaign that takes gifts, or did, as everybody sees it.",
        status=200,
        answer=PublicCampaign,
        access=PUBLIC,
        parameters=(SLUG, _CAMPAIGN, IF_NONE_MATCH),
        headers=("ETag",),
        problems=("organization_not_found", "campaign_not_found", "query_not_accepted", *ALWAYS),
    ),
)
