"""Funds of an organization: opened, changed, closed, never deleted."""

from datetime import UTC, datetime
from typing import Any

from contracts.donations import Visibility
from contracts.identifiers import random_id, type_id
from edge import resources
from edge.audit import writing as audit
from edge.authorization import Authorization
from edge.caller import Caller
from edge.database.pool import Database
from edge.database.rows import Row
from edge.directory.records import Organization
from edge.errors import ProblemError
from edge.events.announcing import announce
from edge.funds import decisions, store
from edge.funds.models import FundChange, FundCreation
from edge.listing import Page
from edge.organizations import relationships
from edge.organizations.permissions import permissions_requested
from edge.organizations.relationships import FundRow
from edge.resources import Change, Command
from edge.showing import require_may_show
from topics import outbox
from topics.outbox import AnyConnection

Fund = tuple[dict[str, Any], int]
"""A resource and its version."""


class Funds:
    """Reads and writes funds of the organization in the path."""

    def __init__(self, database: Database, authorization: Authorization) -> None:
        self._database = database
        self._authorization = authorization

    async def page(self, organization: str, page: Page) -> dict[str, Any]:
        """A page of funds."""
        async with self._database.transaction([organization]) as connection:
            rows = await store.funds(
                connection, organization, page.after_or_nulls, page.filters, page.rows_max
            )
        return page.of(rows, decisions.resource)

    async def show(self, organization: str, identifier: str) -> Fund:
        """One fund; ProblemError 404."""
        async with self._database.transaction([organization]) as connection:
            return _shown(await store.fund(connection, organization, identifier))

    async def create(
        self, organization: Organization, caller: Caller, command: Command[FundCreation]
    ) -> tuple[Fund, bool]:
        """The new fund, and whether an earlier request had opened it."""
        body, name = command.body, organization.id
        await self._require(caller, organization, body.visibility, None)
        now = datetime.now(UTC)
        fund = type_id("fund", random_id(now))
        async with self._database.transaction([name, command.tenant]) as connection:
            earlier = await resources.claim(connection, command, fund)
            if earlier is not None:
                return _shown(await store.fund(connection, name, earlier)), True
            await store.lock(connection, name)
            if body.is_default:
                await store.unset_default(connection, name, body.currency, fund, now)
            await store.insert(connection, fund, name, body.model_dump(), now)
            made = _shown(await store.fund(connection, name, fund))
            await audit.write(connection, fund, organization=name, after=body.model_dump())
            changes = relationships.changes([FundRow(fund, name)], now)
            records = [
                permissions_requested(name, fund, changes, now),
                announce(name, "fund.created", fund, made[0], now),
            ]
            await outbox.queue(connection, records)
        return made, False

    async def change(
        self, organization: Organization, caller: Caller, identifier: str, change: Change
    ) -> Fund:
        """The changed fund; ProblemError 404, 409, 412 or 422."""
        name = organization.id
        now = datetime.now(UTC)
        async with self._database.transaction([name]) as connection:
            await store.lock(connection, name)
            row = await store.fund(connection, name, identifier, for_update=True)
            if row is None:
                raise ProblemError("fund_not_found")
            current = decisions.settings_of(row)
            wanted = resources.changed(FundChange, current, change, row["version"])
            await self._require(caller, organization, wanted.visibility, current.visibility)
            held_minor = await store.held_minor(connection, name, identifier)
            decisions.check_change(current, wanted, held_minor, row["currency"])
            return await _keep(connection, row, current, wanted, now)

    async def _require(
        self,
        caller: Caller,
        organization: Organization,
        wanted: Visibility | None,
        current: Visibility | None,
    ) -> None:
        new, old = (one or organization.visibility for one in (wanted, current))
        await require_may_show(self._authorization, caller, organization.id, new, old)


async def _keep(
    connection: AnyConnection,
    row: Row,
    current: FundChange,
    wanted: FundChange,
    now: datetime,
) -> Fund:
    organization, identifier = row["organization"], row["id"]
    if wanted.is_default and not current.is_default:
        await store.unset_default(connection, organization, row["currency"], identifier, now)
    values = wanted.model_dump()
    await store.update(connection, organization, identifier, values, now)
    change = {"before": current.model_dump(), "after": values}
    await audit.write(connection, identifier, organization=organization, **change)
    kept = _shown(await store.fund(connection, organization, identifier))
    event = announce(organization, decisions.event_of(current, wanted), identifier, kept[0], now)
    await outbox.queue(connection, [event])
    return kept


def _shown(row: Row | None) -> Fund:
    if row is None:
        raise ProblemError("fund_not_found")
    return decisions.resource(row), row["version"]
