"""Projects of an organization: begun, changed, ended, with news of them."""

from datetime import UTC, datetime
from typing import Any

from contracts.identifiers import random_id, type_id
from edge import resources
from edge.audit import writing as audit
from edge.database.pool import Database
from edge.database.rows import Row
from edge.errors import ProblemError
from edge.events.announcing import announce
from edge.funds import store as funds
from edge.listing import Page
from edge.projects import decisions, store
from edge.projects.models import ProjectChange, ProjectCreation, UpdateCreation
from edge.resources import Change, Command
from edge.texts import day_of
from topics import outbox

Project = tuple[dict[str, Any], int]
"""A resource and its version."""


class Projects:
    """Reads and writes projects of the organization in the path."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, organization: str, page: Page) -> dict[str, Any]:
        """A page of projects."""
        async with self._database.transaction([organization]) as connection:
            rows = await store.projects(
                connection, organization, page.after_or_nulls, page.filters, page.rows_max
            )
        return page.of(rows, decisions.resource)

    async def show(self, organization: str, identifier: str) -> Project:
        """One project; ProblemError 404."""
        async with self._database.transaction([organization]) as connection:
            return _shown(await store.project(connection, organization, identifier))

    async def create(
        self, organization: str, command: Command[ProjectCreation]
    ) -> tuple[Project, bool]:
        """The new project, and whether an earlier request had begun it."""
        body = command.body
        decisions.check_order(body.starts_on, body.ends_on, "ends_on")
        now = datetime.now(UTC)
        project = type_id("proj", random_id(now))
        async with self._database.transaction([organization, command.tenant]) as connection:
            earlier = await resources.claim(connection, command, project)
            if earlier is not None:
                return _shown(await store.project(connection, organization, earlier)), True
            fund = await funds.fund(connection, organization, body.fund)
            if fund is None or not fund["is_active"]:
                raise ProblemError("fund_unknown", param="fund")
            await store.insert(connection, project, organization, body.model_dump(), now)
            await audit.write(
                connection, project, organization=organization, after=body.model_dump()
            )
            made = _shown(await store.project(connection, organization, project))
            event = announce(organization, "project.created", project, made[0], now)
            await outbox.queue(connection, [event])
        return made, False

    async def change(self, organization: str, identifier: str, change: Change) -> Project:
        """The changed project; ProblemError 404, 409, 412 or 422."""
        now = datetime.now(UTC)
        async with self._database.transaction([organization]) as connection:
            row = await store.project(connection, organization, identifier, for_update=True)
            if row is None:
                raise ProblemError("project_not_found")
            current = decisions.settings_of(row)
            wanted = resources.changed(ProjectChange, current, change, row["version"])
            decisions.check_move(decisions.TRANSITIONS, current.status, wanted.status)
            decisions.check_order(wanted.starts_on, wanted.ends_on, "ends_on")
            await store.update(connection, organization, identifier, wanted.model_dump(), now)
            settings = {"before": current.model_dump(), "after": wanted.model_dump()}
            await audit.write(connection, identifier, organization=organization, **settings)
            kept = _shown(await store.project(connection, organization, identifier))
            event = announce(organization, "project.updated", identifier, kept[0], now)
            await outbox.queue(connection, [event])
        return kept

    async def tell(
        self, organization: str, project: str, command: Command[UpdateCreation]
    ) -> tuple[dict[str, Any], bool]:
        """News that was told now, or by an earlier request; ProblemError 404."""
        body = command.body
        now = datetime.now(UTC)
        identifier = type_id("news", random_id(now))
        async with self._database.transaction([organization, command.tenant]) as connection:
            if not await store.is_there(connection, organization, project):
                raise ProblemError("project_not_found")
            earlier = await resources.claim(connection, command, identifier)
            if earlier is None:
                told = (body.title, body.text, day_of(body.dated))
                await store.insert_news(connection, identifier, organization, project, told, now)
                await audit.write(
                    connection, identifier, organization=organization, after=body.model_dump()
                )
            row = await store.news(connection, organization, project, earlier or identifier)
            assert row is not None, "it was made in this transaction or an earlier one"
        return decisions.update(row), earlier is not None

    async def news(self, organization: str, project: str, page: Page) -> dict[str, Any]:
        """A page of a project's news; ProblemError 404."""
        async with self._database.transaction([organization]) as connection:
            if not await store.is_there(connection, organization, project):
                raise ProblemError("project_not_found")
            rows = await store.all_news(
                connection, organization, project, page.after_or_nulls, page.rows_max
            )
        return page.of(rows, decisions.update)


def _shown(row: Row | None) -> Project:
    if row is None:
        raise ProblemError("project_not_found")
    return decisions.resource(row), row["version"]
