"""A project as clients make, change and see it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.message import FundId, OrganizationId, ProjectId
from contracts.money import AmountMinor
from edge.texts import Day, Line, LongText, Title

ProjectStatus = Literal["planning", "active", "completed", "cancelled"]
_CONFIG = ConfigDict(extra="forbid", strict=True, frozen=True)


class ImpactMetric(BaseModel):
    """What is counted of a project's effect, in whole units."""

    model_config = _CONFIG

    name: Title
    unit: Annotated[Line, Field(min_length=1, max_length=40)]
    target: Annotated[int | None, Field(ge=0, le=10**15)] = None
    reached: Annotated[int, Field(ge=0, le=10**15)] = 0


Impact = Annotated[list[ImpactMetric], Field(max_length=20)]


class ProjectChange(BaseModel):
    """What can be changed of a project."""

    model_config = _CONFIG

    name: Title
    description: LongText = ""
    status: ProjectStatus = "planning"
    budget_minor: Annotated[
        AmountMinor | None, Field(description="In the currency of its fund.")
    ] = None
    starts_on: Day | None = None
    ends_on: Day | None = None
    impact: Impact = []


class ProjectCreation(ProjectChange):
    """A project to begin. Its fund is for good."""

    fund: FundId
    status: Literal["planning", "active"] = "planning"


class Project(BaseModel):
    """A project. `spent_minor` is what bookings that name it took from its fund, net of returns."""

    id: ProjectId
    object: Literal["project"] = "project"
    organization: OrganizationId
    fund: FundId
    currency: str
    name: str
    description: str
    status: ProjectStatus
    budget_minor: int | None
    spent_minor: int
    starts_on: str | None
    ends_on: str | None
    impact: list[ImpactMetric]
    created_at: str
    updated_at: str


class ProjectList(BaseModel):
    """A page of projects, oldest first."""

    object: Literal["list"] = "list"
    data: list[Project]
    has_more: bool
    next_cursor: str | None


class UpdateCreation(BaseModel):
    """News of a project."""

    model_config = _CONFIG

    title: Title
    text: Annotated[LongText, Field(min_length=1)]
    dated: Day


class ProjectUpdate(BaseModel):
    """News of a project, as it was told."""

    id: str
    object: Literal["project_update"] = "project_update"
    project: ProjectId
    title: str
    text: str
    dated: str
    created_at: str


class UpdateList(BaseModel):
    """A page of news, in the order of telling."""

    object: Literal["list"] = "list"
    data: list[ProjectUpdate]
    has_more: bool
    next_cursor: str | None
