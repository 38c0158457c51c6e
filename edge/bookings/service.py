"""Bookings: accepted once per Idempotency-Key, and what the ledger made of them."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from contracts.identifiers import random_id, type_id
from edge import resources
from edge.audit import writing as audit
from edge.bookings import decisions, store
from edge.bookings.decisions import Outflow
from edge.bookings.making import Made, Making, Parts
from edge.bookings.models import BookingRequest, TransferIn
from edge.bookings.resource import resource
from edge.database.pool import Database
from edge.database.rows import Row
from edge.directory.directory import Directory
from edge.directory.records import Organization
from edge.donors.sealing import Sealing
from edge.errors import ProblemError
from edge.listing import Page
from edge.resources import Command
from ledger.movements import Movement
from topics import failpoints, outbox
from topics.outbox import AnyConnection
from topics.registry import ENTRIES_REQUESTED

_SENDER = "edge"


class Bookings:
    """Writes bookings, and reads what became of them."""

    def __init__(
        self,
        database: Database,
        directory: Directory,
        sealing: Sealing,
        business_now: Callable[[], Awaitable[datetime]],
        is_backlogged: Callable[[], bool],
    ) -> None:
        self._database = database
        self._parts = Parts(directory, sealing)
        self._business_now = business_now
        self._is_backlogged = is_backlogged

    async def page(self, organization: str, page: Page) -> dict[str, Any]:
        """A page of bookings."""
        async with self._database.transaction([organization]) as connection:
            rows = await store.bookings(
                connection, organization, page.after_or_nulls, page.filters, page.rows_max
            )
        return page.of(rows, resource)

    async def show(self, organization: str, identifier: str) -> dict[str, Any]:
        """One booking; ProblemError 404."""
        async with self._database.transaction([organization]) as connection:
            return _shown(await store.booking(connection, organization, identifier))

    async def record(
        self, organization: Organization, command: Command[BookingRequest]
    ) -> tuple[dict[str, Any], bool]:
        """The booking, durable, and whether an earlier request had made it."""
        if self._is_backlogged():
            raise ProblemError("backlog", headers={"Retry-After": "10"})
        asked, name = command.body.root, organization.id
        now = datetime.now(UTC)
        business_now = await self._business_now()
        booking = random_id(now)
        giver = await self._giver(name, asked)
        scope = sorted({name, command.tenant, *giver})
        async with self._database.transaction(scope) as connection:
            identifier = type_id("book", booking)
            claimed = type_id("don" if decisions.donor_of(asked) else "book", booking)
            earlier = await resources.claim(connection, command, claimed)
            if earlier is not None:
                made_then = "book_" + earlier.partition("_")[2]
                return _shown(await store.booking(connection, name, made_then)), True
            await store.lock(connection, [name, *giver])
            making = Making(self._parts, connection, organization, booking, now, business_now)
            made = await making.make(asked)
            await _check_outflows(connection, name, made)
            await _insert(connection, name, command, identifier, made, now)
            await _queue(connection, made.movements, now)
            value = _shown(await store.booking(connection, name, identifier))
            failpoints.reach("edge.before_commit")
        failpoints.reach("edge.committed")
        return value, False

    async def _giver(self, organization: str, asked: Any) -> list[str]:
        """Whose transfer is taken: its side is recorded in the same transaction."""
        if not isinstance(asked, TransferIn):
            return []
        async with self._database.transaction([organization]) as connection:
            row = await store.offered(connection, asked.transfer, organization)
        if row is None:
            raise ProblemError("transfer_not_found", param="transfer")
        return [row["organization"]]


async def _check_outflows(connection: AnyConnection, organization: str, made: Made) -> None:
    await store.settle(connection, organization)
    for outflow in _outflows(organization, made):
        place = outflow.fund, outflow.account
        left = await store.available_minor(connection, organization, place, made.currency)
        decisions.check_outflow(outflow, left, made.currency)


def _outflows(organization: str, made: Made) -> list[Outflow]:
    return [*decisions.outflows_of(organization, made.movements), *made.reserved]


async def _insert(
    connection: AnyConnection,
    organization: str,
    command: Command[BookingRequest],
    identifier: str,
    made: Made,
    now: datetime,
) -> None:
    terms = command.body.root.model_dump(mode="json", exclude_none=True, exclude={"donor": True})
    replacement: dict[str, Any] = terms.get("replacement", {})
    replacement.pop("donor", None)
    await audit.write(connection, identifier, organization=organization, after=terms)
    spelled = orjson.dumps(terms).decode()
    key = "\n".join((command.tenant, command.route, command.idempotency_key))
    await store.insert(
        connection,
        {
            "organization": organization,
            "environment": command.environment,
            # Unique beside the keys of other persons and routes.
            "idempotency_key": hashlib.sha256(key.encode()).hexdigest(),
            # Of what stays: that of the whole request goes with the donor (edge.forget_donor).
            "fingerprint": hashlib.sha256(spelled.encode()).digest(),
            "id": identifier,
            "kind": command.body.root.kind,
            "fund": made.fund,
            "amount_minor": made.amount_minor,
            "currency": made.currency,
            "terms": spelled,
            "entries": decisions.entry_ids(organization, made.movements),
            "outflows": store.spell_outflows(_outflows(organization, made)),
            "transfer": made.transfer,
            "recipient": made.recipient,
            "corrects": made.corrects,
            "created_by": command.created_by,
            "created_at": now,
        },
    )


async def _queue(connection: AnyConnection, made: Sequence[Movement], now: datetime) -> None:
    messages = decisions.envelopes(made, ENTRIES_REQUESTED.name, now)
    records = [outbox.prepare(_SENDER, ENTRIES_REQUESTED, message) for message in messages]
    await outbox.queue(connection, records)


def _shown(row: Row | None) -> dict[str, Any]:
    if row is None:
        raise ProblemError("booking_not_found")
    return resource(row)
