"""A campaign as clients make, change and see it, and as everybody does."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.message import CampaignId, FundId, OrganizationId, ProjectId
from contracts.money import AmountMinor, Currency
from edge.texts import LongText, Moment, Slug, Title

CampaignKind = Literal["organizational", "personal", "team", "event"]
CampaignStatus = Literal["draft", "active", "paused", "completed", "cancelled"]
_CONFIG = ConfigDict(extra="forbid", strict=True, frozen=True)


class CampaignChange(BaseModel):
    """What can be changed of a campaign."""

    model_config = _CONFIG

    slug: Annotated[Slug, Field(description="Unique within the organization.")]
    name: Title
    story: LongText = ""
    status: CampaignStatus = "draft"
    goal_minor: AmountMinor | None = None
    fund: Annotated[
        FundId | None, Field(description="Where its gifts go; left out: as for other gifts.")
    ] = None
    project: ProjectId | None = None
    starts_at: Moment | None = None
    ends_at: Moment | None = None


class CampaignCreation(CampaignChange):
    """A campaign to make. Its kind and the currency of its goal are for good."""

    kind: CampaignKind = "organizational"
    currency: Currency
    status: Literal["draft", "active"] = "draft"


class CampaignSum(BaseModel):
    """What was given in one currency; sums of different currencies are never added.

    `raised_minor` are intended gifts, less refunds and what donors' banks hold or took.
    `fee_cover_minor` is what donors paid beside to cover fees, `matched_minor` what sponsors add.
    """

    currency: str
    raised_minor: int
    gifts: int
    fee_cover_minor: int
    matched_minor: int


class PublicCampaign(BaseModel):
    """A campaign as everybody sees it."""

    id: CampaignId
    object: Literal["campaign"] = "campaign"
    organization: OrganizationId
    slug: str
    name: str
    story: str
    kind: CampaignKind
    status: CampaignStatus
    currency: str
    goal_minor: int | None
    starts_at: str | None
    ends_at: str | None


class PublicCampaignList(BaseModel):
    """A page of campaigns that take gifts now, oldest first."""

    object: Literal["list"] = "list"
    data: list[PublicCampaign]
    has_more: bool
    next_cursor: str | None


class Campaign(PublicCampaign):
    """A campaign as its organization sees it."""

    fund: FundId | None
    project: ProjectId | None
    sums: list[CampaignSum]
    created_at: str
    updated_at: str


class CampaignList(BaseModel):
    """A page of campaigns, oldest first."""

    object: Literal["list"] = "list"
    data: list[Campaign]
    has_more: bool
    next_cursor: str | None
