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
from edge.operation import (
    ALWAYS,
    IF_NONE_MATCH,
    PAGE,
    SLUG,
    Operation,
    Resource,
    choice,
    parameter,
)
from edge.resources import patch_of

_PUBLIC_LIST: Final = "/v1/public/organizations/{slug}/campaigns"
_CAMPAIGN: Final = parameter(
    "campaign", "path", "The campaign's `camp_…` id, or its short name.", {"type": "string"}
)
_OF_PLACES: Final = ("campaign_slug_taken", "fund_unknown", "project_unknown")
CampaignPatch: Final = patch_of(CampaignChange)
_CAMPAIGNS: Final = Resource(
    path="/v1/organizations/{organization}/campaigns",
    parameter=_CAMPAIGN,
    problem="campaign_not_found",
    read=Access(scope="campaigns:read", permission="view_campaigns"),
    write=Access(scope="campaigns:write", permission="manage_campaigns"),
)

CAMPAIGNS: Final = (
    _CAMPAIGNS.listing(
        "listCampaigns",
        "The organization's campaigns, oldest first.",
        CampaignList,
        choice(
            *("status", "In one state."),
            *("draft", "active", "paused", "completed", "cancelled"),
        ),
        choice("kind", "Of one kind.", "organizational", "personal", "team", "event"),
        choice("project", "Of one project."),
    ),
    _CAMPAIGNS.creation(
        "createCampaign", "Make a campaign.", Campaign, CampaignCreation, *_OF_PLACES
    ),
    _CAMPAIGNS.showing("showCampaign", "One campaign, with what was given.", Campaign),
    _CAMPAIGNS.changing(
        "changeCampaign",
        "Change a campaign. What is over stays over.",
        Campaign,
        CampaignPatch,
        *("transition_not_allowed", *_OF_PLACES),
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
