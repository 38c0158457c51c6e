"""What a booking comes to, found out inside the transaction that makes it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from contracts.identifiers import parse_type_id, random_id, type_id
from edge.bookings import decisions, store
from edge.bookings.decisions import FundTerms, Outflow, Setting
from edge.bookings.models import (
    Allocation,
    Correction,
    OfflineDonation,
    Simple,
    TransferIn,
    TransferOut,
)
from edge.database.rows import Row
from edge.directory.directory import Directory
from edge.directory.records import Organization
from edge.donors.sealing import Sealing
from edge.errors import ProblemError
from edge.projects import store as projects
from ledger import movements
from ledger.movements import Movement, Place, Sum, Terms
from ledger.transfers import OUT, side_id
from topics.outbox import AnyConnection


@dataclass(frozen=True, slots=True)
class Parts:
    """What looking things up takes."""

    directory: Directory
    sealing: Sealing


@dataclass(frozen=True, slots=True)
class Made:
    """What a booking comes to: its entries, and columns of its row.

    `reserved` leaves the fund with entries that are asked for later.
    """

    fund: str
    amount_minor: int
    currency: str
    movements: Sequence[Movement] = ()
    reserved: Sequence[Outflow] = ()
    transfer: str | None = None
    recipient: str | None = None
    corrects: str | None = None


class Making:
    """One booking in the making, inside its transaction."""

    def __init__(
        self,
        parts: Parts,
        connection: AnyConnection,
        organization: Organization,
        booking: UUID,
        now: datetime,
        business_now: datetime,
    ) -> None:
        self._parts = parts
        self._connection = connection
        self._organization = organization
        self._booking = booking
        self._now = now
        self._business_now = business_now

    async def make(self, asked: Any) -> Made:
        """What it comes to; ProblemError 404, 409 or 422."""
        if isinstance(asked, Correction):
            return await self._correct(asked)
        if isinstance(asked, TransferOut):
            return await self._offer(asked)
        if isinstance(asked, TransferIn):
            return await self._take(asked)
        return self._made(asked, [await self._simple(asked)])

    def _made(self, asked: Simple | TransferOut | TransferIn, made: list[Movement]) -> Made:
        return Made(asked.fund, decisions.amount_of(asked), asked.currency, made)

    async def _setting(self, organization: Organization, *funds: str) -> Setting:
        rows = await store.funds(self._connection, organization.id, funds)
        terms = {row["id"]: self._terms(organization, row) for row in rows}
        return Setting(self._booking, organization.id, terms)

    def _terms(self, organization: Organization, row: Row) -> FundTerms:
        visibility = row["visibility"] or organization.visibility
        after = None
        if visibility == "delayed_public":
            after = self._business_now + timedelta(days=organization.public_after_days)
        terms = Terms(visibility, after)
        return FundTerms(row["id"], row["currency"], row["is_active"], terms)

    async def _simple(self, asked: Simple, id_: UUID | None = None) -> Movement:
        names = [asked.fund, *([asked.to_fund] if isinstance(asked, Allocation) else [])]
        setting = await self._setting(self._organization, *names)
        await self._check_names(asked)
        if isinstance(asked, OfflineDonation):
            # Of the booking in either case: what an erasure finds the request and the entry by.
            donation = type_id("don", self._booking)
            donor = await self._parts.sealing.seal(
                self._connection, self._organization.id, asked.donor, donation, self._now
            )
            setting = replace(setting, donation=donation, donor=donor)
        return decisions.movement_of(asked, setting, id_)

    async def _check_names(self, asked: Simple) -> None:
        """ProblemError 422 when a project or campaign is not the organization's."""
        name = self._organization.id
        project, campaign = getattr(asked, "project", None), getattr(asked, "campaign", None)
        if project and not await projects.is_there(self._connection, name, project):
            raise ProblemError("project_unknown", param="project")
        if campaign and not await self._parts.directory.campaign(name, campaign):
            raise ProblemError("campaign_not_active", "There is no such one.", param="campaign")

    async def _correct(self, asked: Correction) -> Made:
        name = self._organization.id
        wrong = await store.booking(self._connection, name, asked.corrects)
        if wrong is None:
            raise ProblemError("booking_not_found")
        if wrong["corrected_by"] is not None:
            raise ProblemError("booking_corrected")
        values = (wrong["fund"], wrong["amount_minor"], wrong["currency"])
        if wrong["kind"] == "transfer_out" and not wrong["entries"]:
            await store.withdraw(self._connection, name, asked.corrects)
            return Made(*values, corrects=asked.corrects)
        is_whole = wrong["entries"] and wrong["recorded"] == len(wrong["entries"])
        if not is_whole or wrong["transfer"] is not None:
            detail = "A transfer is given back by another one." if wrong["transfer"] else None
            raise ProblemError("booking_not_recorded", detail, param="corrects")
        # The last entry is what stands: of an earlier correction, that which it recorded instead.
        found = await store.entry(self._connection, name, wrong["entries"][-1])
        assert found is not None, "it was counted as recorded"
        entry, openings = found
        setting = Setting(self._booking, name, {})
        money = decisions.money_of(entry, openings.get("money"))
        details = decisions.details_in(entry, openings.get("details"))
        made = [decisions.reversal_of(setting, entry, money, details)]
        if asked.replacement is not None:
            replacing = decisions.replacement_id(self._booking)
            made.append(await self._simple(asked.replacement, replacing))
            right = self._made(asked.replacement, made)
            values = (right.fund, right.amount_minor, right.currency)
        return Made(*values, movements=made, corrects=asked.corrects)

    async def _offer(self, asked: TransferOut) -> Made:
        other = await self._parts.directory.organization(asked.to_organization)
        if other is None or other.id == self._organization.id:
            raise ProblemError("organization_unknown", param="to_organization")
        setting = await self._setting(self._organization, asked.fund)
        setting.fund(asked.fund, asked.currency)
        transfer = type_id("tra", random_id(self._now))
        reserved = [Outflow(*decisions.place_of(asked), asked.amount_minor)]
        made = self._made(asked, [])
        return replace(made, transfer=transfer, recipient=other.id, reserved=reserved)

    async def _take(self, asked: TransferIn) -> Made:
        connection, taker = self._connection, self._organization
        offer = await store.offered(connection, asked.transfer, taker.id)
        if offer is None:
            raise ProblemError("transfer_not_found", param="transfer")
        if offer["entries"]:
            raise ProblemError("transfer_taken")
        if (asked.amount_minor, asked.currency) != (offer["amount_minor"], offer["currency"]):
            detail = "The amount and the currency are those that were offered."
            raise ProblemError("currency_mismatch", detail, param="amount_minor")
        giver = await self._parts.directory.organization(offer["organization"])
        assert giver is not None, "organizations are never deleted"
        out = TransferOut.model_validate(orjson.loads(offer["terms"]))
        given = await self._setting(giver, offer["fund"])
        source = given.fund(offer["fund"], out.currency)
        taken = await self._setting(taker, asked.fund)
        target = taken.fund(asked.fund, asked.currency)
        of_giver = replace(given, id=parse_type_id("book", offer["id"]))
        both = movements.transfer(
            *(asked.transfer, giver.id, decisions.place_of(out), taker.id),
            Place(target.id, decisions.place_of(asked).account),
            Sum(asked.amount_minor, asked.currency),
            (
                _with(source.terms, decisions.details_of(out, of_giver)),
                _with(target.terms, decisions.details_of(asked, taken)),
            ),
        )
        entry = type_id("ent", side_id(asked.transfer, OUT))
        await store.set_taken(connection, giver.id, offer["id"], [entry])
        return replace(self._made(asked, list(both)), transfer=asked.transfer)


def _with(terms: Terms, details: dict[str, Any]) -> Terms:
    return Terms(terms.visibility, terms.public_after, details)
