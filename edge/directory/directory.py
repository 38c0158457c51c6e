"""A cache of organizations, funds and API keys, dropped whole whenever one of them changes.

Rules: nothing is remembered while no one listens for changes, nor what was read before a change was
heard; an absence is remembered too, which bounds what wrong keys cost.
"""

from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, Final, TypeVar

from edge.database.pool import Database
from edge.database.store import set_scope
from edge.directory import store
from edge.directory.records import ApiKey, Campaign, Fund, Organization
from topics.outbox import AnyConnection

Record = TypeVar("Record")

_RECORDS_MAX: Final = 20_000


class Directory:
    """Look-ups that cost a query at most once between two changes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._records: dict[Hashable, Any] = {}
        self._generation = 0
        self.is_caching = False

    def forget(self) -> None:
        """Something changed, or may have."""
        self._records.clear()
        self._generation += 1

    async def api_key(self, secret_hash: bytes) -> ApiKey | None:
        """The key with this hash."""
        return await self._find(
            ("key", secret_hash), lambda connection: store.api_key(connection, secret_hash)
        )

    async def organization(self, name: str) -> Organization | None:
        """An organization by its `org_…` id or its slug, which never holds an underscore."""
        query = store.ORGANIZATION_BY_ID if "_" in name else store.ORGANIZATION_BY_SLUG
        return await self._find(
            ("organization", name),
            lambda connection: store.organization(connection, query, name),
        )

    async def organization_of_account(self, account: str) -> Organization | None:
        """The organization behind a Stripe account `acct_…`."""
        return await self._find(
            ("account", account),
            lambda connection: store.organization(
                connection, store.ORGANIZATION_BY_ACCOUNT, account
            ),
        )

    async def fund(self, organization: str, fund: str) -> Fund | None:
        """A fund of the organization by its id."""
        return await self._find(
            ("fund", organization, fund),
            lambda connection: store.fund(connection, store.FUND_BY_ID, organization, fund),
        )

    async def default_fund(self, organization: str, currency: str) -> Fund | None:
        """Where gifts in a currency go when they name no fund."""
        return await self._find(
            ("default", organization, currency),
            lambda connection: store.fund(
                connection, store.FUND_BY_CURRENCY, organization, currency
            ),
        )

    async def first_fund(self, organization: str) -> Fund | None:
        """Where gifts go whose currency no fund of the organization holds."""
        return await self._find(
            ("first", organization),
            lambda connection: store.fund(connection, store.FIRST_FUND, organization),
        )

    async def rate_limits(self, organization: str) -> Mapping[str, int]:
        """What its keys may do more or less often than others', by rate; mostly nothing."""
        return await self._find(
            ("rates", organization), lambda connection: store.rate_limits(connection, organization)
        )

    async def campaign(self, organization: str, campaign: str) -> Campaign | None:
        """A campaign of the organization by its id."""
        return await self._find(
            ("campaign", organization, campaign),
            lambda connection: store.campaign(connection, organization, campaign),
        )

    async def may_collect(self, collector: str, organization: str) -> bool:
        """False when the organization has revoked what it once allowed the collector."""

        async def load(connection: AnyConnection) -> bool:
            async with connection.transaction():
                await set_scope(connection, [collector])
                return await store.may_collect(connection, collector, organization)

        return await self._find(("collects", collector, organization), load)

    async def _find(
        self, key: Hashable, load: Callable[[AnyConnection], Awaitable[Record]]
    ) -> Record:
        if key in self._records:
            known: Record = self._records[key]
            return known
        generation = self._generation
        async with self._database.connection() as connection:
            record = await load(connection)
        if self.is_caching and generation == self._generation:
            if len(self._records) >= _RECORDS_MAX:
                self._records.clear()
            self._records[key] = record
        return record
