"""What the API offers of projects."""

from typing import Final

from edge.access import Access
from edge.funds.operations import (
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    OF_CHANGES,
    OF_COMMANDS,
    PAGE,
    choice,
)
from edge.operation import ORGANIZATION, Operation, parameter
from edge.projects.models import (
    Project,
    ProjectChange,
    ProjectCreation,
    ProjectList,
    ProjectUpdate,
    UpdateCreation,
    UpdateList,
)
from edge.resources import patch_of

_LIST: Final = "/v1/organizations/{organization}/projects"
_ONE: Final = f"{_LIST}/{{project}}"
_NEWS: Final = f"{_ONE}/updates"
_PROJECT: Final = parameter("project", "path", "The project's `proj_…` id.", {"type": "string"})
_READ: Final = Access(scope="projects:read", permission="view_projects")
_WRITE: Final = Access(scope="projects:write", permission="manage_projects")
ProjectPatch: Final = patch_of(ProjectChange)

PROJECTS: Final = (
    Operation(
        method="get",
        path=_LIST,
        identifier="listProjects",
        summary="The organization's projects, oldest first.",
        status=200,
        answer=ProjectList,
        access=_READ,
        parameters=(
            *(ORGANIZATION, *PAGE),
            choice("status", "In one state.", "planning", "active", "completed", "cancelled"),
            choice("fund", "Of one fund."),
        ),
        problems=("query_not_accepted",),
    ),
    Operation(
        method="post",
        path=_LIST,
        identifier="createProject",
        summary="Begin a project.",
        status=201,
        answer=Project,
        body=ProjectCreation,
        access=_WRITE,
        parameters=(ORGANIZATION, IDEMPOTENCY_KEY),
        headers=("Location", "ETag", "Idempotent-Replayed"),
        problems=("fund_unknown", *OF_COMMANDS),
    ),
    Operation(
        method="get",
        path=_ONE,
        identifier="showProject",
        summary="One project, with what was spent on it.",
        status=200,
        answer=Project,
        access=_READ,
        parameters=(ORGANIZATION, _PROJECT, IF_NONE_MATCH),
        headers=("ETag",),
        problems=("project_not_found", "query_not_accepted"),
    ),
    Operation(
        method="patch",
        path=_ONE,
        identifier="changeProject",
        summary="Change a project. An ended one stays ended.",
        status=200,
        answer=Project,
        body=ProjectPatch,
        access=_WRITE,
        parameters=(ORGANIZATION, _PROJECT, IF_MATCH),
        headers=("ETag",),
        problems=("project_not_found", "transition_not_allowed", *OF_CHANGES),
    ),
    Operation(
        method="get",
        path=_NEWS,
        identifier="listProjectUpdates",
        summary="News of a project, in the order of telling.",
        status=200,
        answer=UpdateList,
        access=_READ,
        parameters=(ORGANIZATION, _PROJECT, *PAGE),
        problems=("project_not_found", "query_not_accepted"),
    ),
    Operation(
        method="post",
        path=_NEWS,
        identifier="createProjectUpdate",
        summary="Tell news of a project.",
        status=201,
        answer=ProjectUpdate,
        body=UpdateCreation,
        access=_WRITE,
        parameters=(ORGANIZATION, _PROJECT, IDEMPOTENCY_KEY),
        headers=("Location", "Idempotent-Replayed"),
        problems=("project_not_found", *OF_COMMANDS),
    ),
)
