"""What the API offers of projects."""

from typing import Final

from edge.access import Access
from edge.operation import (
    IDEMPOTENCY_KEY,
    IF_NONE_MATCH,
    OF_COMMAND,
    ORGANIZATION,
    PAGE,
    Operation,
    Resource,
    choice,
    parameter,
)
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

_PROJECT: Final = parameter("project", "path", "The project's `proj_…` id.", {"type": "string"})
ProjectPatch: Final = patch_of(ProjectChange)
_PROJECTS: Final = Resource(
    path="/v1/organizations/{organization}/projects",
    parameter=_PROJECT,
    problem="project_not_found",
    read=Access(scope="projects:read", permission="view_projects"),
    write=Access(scope="projects:write", permission="manage_projects"),
)
_NEWS: Final = f"{_PROJECTS.one}/updates"

PROJECTS: Final = (
    _PROJECTS.listing(
        "listProjects",
        "The organization's projects, oldest first.",
        ProjectList,
        choice("status", "In one state.", "planning", "active", "completed", "cancelled"),
        choice("fund", "Of one fund."),
    ),
    _PROJECTS.creation(
        "createProject", "Begin a project.", Project, ProjectCreation, "fund_unknown"
    ),
    _PROJECTS.showing(
        "showProject", "One project, with what was spent on it.", Project, IF_NONE_MATCH
    ),
    _PROJECTS.changing(
        "changeProject",
        "Change a project. An ended one stays ended.",
        Project,
        ProjectPatch,
        "transition_not_allowed",
    ),
    Operation(
        method="get",
        path=_NEWS,
        identifier="listProjectUpdates",
        summary="News of a project, in the order of telling.",
        status=200,
        answer=UpdateList,
        access=_PROJECTS.read,
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
        access=_PROJECTS.write,
        parameters=(ORGANIZATION, _PROJECT, IDEMPOTENCY_KEY),
        headers=("Location", "Idempotent-Replayed"),
        problems=("project_not_found", *OF_COMMAND),
    ),
)
