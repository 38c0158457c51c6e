"""A migrated database, the runtime without Kafka, and makers of messages, for tests of workers."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from contracts.donations import DonationRequested, SealedDonor
from contracts.identifiers import random_id, type_id
from contracts.message import Body, BodyT, Envelope
from contracts.stripe_events import StripeEventReceived
from tests.databases import prepare, role_dsn
from topics import codec, outbox
from topics.delivery import Delivery
from topics.registry import DONATIONS_REQUESTED, STRIPE_EVENTS, TOPICS
from topics.topic import Topic
from workers.runtime.batch import Batches
from workers.runtime.limits import Limits
from workers.runtime.worker import Worker

START = datetime(2027, 3, 1, 12, 0, 0, tzinfo=UTC)
ONCE = Limits(attempts_max=1, park_delay_s_first=60.0)


def new(prefix: str) -> str:
    return type_id(prefix, random_id(datetime.now(UTC)))


def message(topic: Topic[BodyT], organization: str, body: BodyT, **changes: Any) -> Envelope[BodyT]:
    time = changes.get("time", datetime.now(UTC))
    identifier: UUID = changes.get("id", random_id(time))
    return Envelope(identifier, topic.name, time, organization, changes.get("cause"), body)


def gift(organization: str, fund: str, **changes: Any) -> Envelope[DonationRequested]:
    time = changes.pop("time", datetime.now(UTC))
    donor: SealedDonor | None = changes.pop("donor", None)
    values: dict[str, Any] = {
        "donation": type_id("don", random_id(time)),
        "fund": fund,
        "amount_minor": 2500,
        "charge_amount_minor": 2500,
        "currency": "EUR",
        "covers_fee": False,
        "payment_method": "pm_card_visa",
        "collected_by": new("key"),
        "visibility": "public_full",
        "public_after": None,
    }
    body = DonationRequested(**values | changes, donor=donor)
    return message(DONATIONS_REQUESTED, organization, body, time=time)


def event(
    organization: str, account: str, event_type: str, found: str, **changes: Any
) -> Envelope[StripeEventReceived]:
    created = changes.get("created", datetime.now(UTC))
    body = StripeEventReceived(
        event=changes.get("event", "evt_" + random_id(created).hex),
        event_type=event_type,
        account=account,
        object=found,
        created=created,
        livemode=False,
        api_version="2026-08-26.dahlia",
    )
    return message(STRIPE_EVENTS, organization, body, time=created)


class Bench:
    """One database; messages go in by the runtime's own batch, what is sent comes out decoded."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._offset = 0

    async def prepare(self) -> None:
        await prepare(self.dsn)

    def role_dsn(self, role: str) -> str:
        return role_dsn(self.dsn, role)

    def pool(self, role: str) -> AbstractAsyncContextManager[Any]:
        return asyncpg.create_pool(self.role_dsn(role), min_size=1, max_size=4)

    async def fetch(self, sql: str, *arguments: object) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(self.dsn)
        try:
            return [dict(row) for row in await connection.fetch(sql, *arguments)]
        finally:
            await connection.close()

    async def organization(self, account: str | None = None, **columns: Any) -> tuple[str, str]:
        """A new organization that may be charged for, and its default fund in EUR.

        `has_account` False: it has none. `state` are columns of its account.
        """
        organization, fund = new("org"), new("fund")
        has_account, state = columns.pop("has_account", True), columns.pop("state", {})
        values = {
            "id": organization,
            "slug": organization.replace("_", "-"),
            "name": "Hope e.V.",
        } | columns
        await self._insert("edge.organizations", values)
        if has_account:
            await self.account(organization, account or "acct_" + organization[4:], **state)
        await self.fetch(
            "INSERT INTO edge.funds (id, organization, name, currency, is_default)"
            " VALUES ($1, $2, 'General', 'EUR', true)",
            fund,
            organization,
        )
        return organization, fund

    async def account(self, organization: str, account: str, **columns: Any) -> None:
        """An account of the organization, its current one unless `stage` says otherwise."""
        known = {"organization": organization, "account": account, "stage": "current"}
        enabled = {"charges_enabled": True, "payouts_enabled": True, "details_submitted": True}
        await self._insert("accounts.accounts", known | enabled | columns)

    async def _insert(self, table: str, values: dict[str, Any]) -> None:
        marks = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        await self.fetch(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", *values.values()
        )

    def delivery(self, sent: Envelope[Any]) -> Delivery:
        record = codec.encode(TOPICS[sent.type], sent)
        self._offset += 1
        return Delivery(record.topic, 0, self._offset, record.key, record.headers, record.value)

    async def settle(
        self, worker: Worker, resources: Any, messages: Sequence[Envelope[Any]]
    ) -> list[Envelope[Any]]:
        """Let a worker settle one batch, as its own role; the messages that it sent."""
        async with self.pool(worker.name) as pool:
            batches = Batches(worker, pool, resources, ONCE)
            await batches.settle([self.delivery(each) for each in messages])
        return await self.sent()

    async def sent(self) -> list[Envelope[Any]]:
        """What lies in the outbox, in order; it is empty afterwards."""
        rows = await self.fetch(
            "DELETE FROM messages.outbox RETURNING position, topic, headers, value"
        )
        return [
            codec.decode(TOPICS[row["topic"]], outbox.parse_headers(row["headers"]), row["value"])
            for row in sorted(rows, key=lambda row: int(row["position"]))
        ]

    async def set_aside(self, worker: Worker) -> list[tuple[str, str]]:
        """What lies set aside: dispositions and codes, in order; nothing does afterwards."""
        rows = await self.fetch(
            "DELETE FROM messages.set_aside WHERE worker = $1"
            " RETURNING position, disposition, code",
            worker.name,
        )
        rows.sort(key=lambda row: int(row["position"]))
        return [(row["disposition"], row["code"]) for row in rows]


def bodies(messages: Sequence[Envelope[Any]], kind: type[Body]) -> list[Any]:
    return [each.body for each in messages if isinstance(each.body, kind)]
