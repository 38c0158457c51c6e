"""A fund as clients make, change and see it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.donations import Visibility
from contracts.message import FundId, OrganizationId
from contracts.money import AmountMinor, Currency
from edge.texts import Text, Title

FundKind = Literal["general", "project", "restricted", "emergency"]
FundStatus = Literal["active", "closed"]
_CONFIG = ConfigDict(extra="forbid", strict=True, frozen=True)


class FundCreation(BaseModel):
    """A fund to open. Its currency is for good; another currency is another fund."""

    model_config = _CONFIG

    name: Title
    currency: Currency
    kind: FundKind = "general"
    description: Text = ""
    goal_minor: Annotated[
        AmountMinor | None, Field(description="What is wanted, in the fund's currency.")
    ] = None
    visibility: Annotated[
        Visibility | None, Field(description="Of its gifts; left out: the organization's.")
    ] = None
    is_default: Annotated[
        bool, Field(description="Takes the gifts of its currency that name no fund.")
    ] = False


class FundChange(BaseModel):
    """What can be changed of a fund. A closed one takes nothing until it is opened again."""

    model_config = _CONFIG

    name: Title
    kind: FundKind = "general"
    description: Text = ""
    goal_minor: AmountMinor | None = None
    visibility: Visibility | None = None
    is_default: bool = False
    status: FundStatus = "active"


class Fund(BaseModel):
    """A fund. `goal_minor` is in its currency."""

    id: FundId
    object: Literal["fund"] = "fund"
    organization: OrganizationId
    name: str
    kind: FundKind
    currency: str
    description: str
    goal_minor: int | None
    visibility: Visibility | None
    is_default: bool
    status: FundStatus
    created_at: str
    updated_at: str


class FundList(BaseModel):
    """A page of funds, oldest first."""

    object: Literal["list"] = "list"
    data: list[Fund]
    has_more: bool
    next_cursor: str | None
