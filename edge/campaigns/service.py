"""Campaigns of an organization: made, changed, ended, shown to everybody while active."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg

from contracts.identifiers import random_id, type_id
from edge import resources
from edge.audit import writing as audit
from edge.campaigns import decisions, store
from edge.campaigns.models import CampaignChange, CampaignCreation
from edge.database.pool import Database
from edge.database.rows import Row
from edge.errors import ProblemError
from edge.events.announcing import announce
from edge.funds import store as funds
from edge.listing import Page
from edge.projects import store as projects
from edge.projects.decisions import check_move
from edge.resources import Change, Command
from topics import outbox
from topics.outbox import AnyConnection

Campaign = tuple[dict[str, Any], int]
"""A resource and its version."""


class Campaigns:
    """Reads and writes campaigns. `business_now` decides whether one is within its days."""

    def __init__(self, database: Database, business_now: Callable[[], Awaitable[datetime]]) -> None:
        self._database = database
        self._business_now = business_now

    async def page(self, organization: str, page: Page) -> dict[str, Any]:
        """A page of campaigns."""
        async with self._database.transaction([organization]) as connection:
            rows = await store.campaigns(
                connection, organization, page.after_or_nulls, page.filters, page.rows_max
            )
        return page.of(rows, decisions.resource)

    async def show(self, organization: str, name: str) -> Campaign:
        """One campaign by id or short name; ProblemError 404."""
        async with self._database.transaction([organization]) as connection:
            return _shown(await store.campaign(connection, organization, name))

    async def public_page(self, organization: str, page: Page) -> dict[str, Any]:
        """A page of the campaigns that take gifts now."""
        now = await self._business_now()
        async with self._database.transaction([organization]) as connection:
            rows = await store.public_campaigns(
                connection, organization, now, page.after_or_nulls, page.rows_max
            )
        return page.of(rows, decisions.public_resource)

    async def public(self, organization: str, slug: str) -> dict[str, Any]:
        """One campaign as everybody sees it; ProblemError 404."""
        async with self._database.transaction([organization]) as connection:
            row = await store.public_campaign(connection, organization, slug)
        if row is None:
            raise ProblemError("campaign_not_found")
        return decisions.public_resource(row)

    async def create(
        self, organization: str, command: Command[CampaignCreation]
    ) -> tuple[Campaign, bool]:
        """The new campaign, and whether an earlier request had made it."""
        body = command.body
        decisions.check_dates(body)
        now = datetime.now(UTC)
        campaign = type_id("camp", random_id(now))
        async with self._writing([organization, command.tenant]) as connection:
            earlier = await resources.claim(connection, command, campaign)
            if earlier is not None:
                return _shown(await store.campaign(connection, organization, earlier)), True
            await _check_places(connection, organization, body)
            await store.insert(connection, campaign, organization, body.model_dump(), now)
            await audit.write(
                connection, campaign, organization=organization, after=body.model_dump()
            )
            made = _shown(await store.campaign(connection, organization, campaign))
            event = announce(organization, "campaign.created", campaign, made[0], now)
            await outbox.queue(connection, [event])
        return made, False

    async def change(self, organization: str, identifier: str, change: Change) -> Campaign:
        """The changed campaign; ProblemError 404, 409, 412 or 422."""
        now = datetime.now(UTC)
        async with self._writing([organization]) as connection:
            row = await store.campaign(connection, organization, identifier, for_update=True)
            if row is None:
                raise ProblemError("campaign_not_found")
            current = decisions.settings_of(row)
            wanted = resources.changed(CampaignChange, current, change, row["version"])
            check_move(decisions.TRANSITIONS, current.status, wanted.status)
            decisions.check_dates(wanted)
            await _check_places(connection, organization, wanted)
            await store.update(connection, organization, identifier, wanted.model_dump(), now)
            settings = {"before": current.model_dump(), "after": wanted.model_dump()}
            await audit.write(connection, identifier, organization=organization, **settings)
            kept = _shown(await store.campaign(connection, organization, identifier))
            event = announce(
                organization, decisions.event_of(current, wanted), identifier, kept[0], now
            )
            await outbox.queue(connection, [event])
        return kept

    @asynccontextmanager
    async def _writing(self, organizations: list[str]) -> AsyncIterator[AnyConnection]:
        try:
            async with self._database.transaction(organizations) as connection:
                yield connection
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != "campaign_slug":
                raise
            raise ProblemError("campaign_slug_taken", param="slug") from error


async def _check_places(
    connection: AnyConnection, organization: str, settings: CampaignChange
) -> None:
    """ProblemError 422 when the fund or the project is not the organization's to use."""
    if settings.fund is not None:
        fund = await funds.fund(connection, organization, settings.fund)
        if fund is None or not fund["is_active"]:
            raise ProblemError("fund_unknown", param="fund")
    if settings.project is not None and not await projects.is_there(
        connection, organization, settings.project
    ):
        raise ProblemError("project_unknown", param="project")


def _shown(row: Row | None) -> Campaign:
    if row is None:
        raise ProblemError("campaign_not_found")
    return decisions.resource(row), row["version"]
