"""Donors' rights at the edge: their data, how they are shown, what they agreed to, erasure.

The edge only asks for an erasure: the process `retention` carries it out by the same path as
`amply erase`, since the journal lies with it.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

from contracts.identifiers import random_id, type_id
from edge.audit import writing as audit
from edge.caller import Caller
from edge.database.pool import Database
from edge.donations.status import Donations
from edge.errors import ProblemError
from edge.ledger import store as labels
from edge.rights import store, store_staff
from edge.rights.data import Opener, consent_of, gather
from edge.rights.display import effective
from edge.rights.models import ConsentChange, DisplayChange, ErasureRequest
from edge.times import spell_time
from ledger.entry import spell_time as spell_ledger_time
from ledger.visibility import Level, Reader, Role, label_of, level
from topics.outbox import AnyConnection

#: How a request that was not met yet is shown.
_STATUS: Final = {"waiting": "waiting", "approved": "requested", "refused": "refused"}


class Rights:
    """What donors may ask for, or others for them. Callers have passed the gate."""

    def __init__(
        self,
        database: Database,
        donations: Donations,
        business_now: Callable[[], Awaitable[datetime]],
        master_key: bytes,
    ) -> None:
        self._database = database
        self._donations = donations
        self._business_now = business_now
        self._opener = Opener(master_key)

    async def data(self, organization: str, donor: str) -> dict[str, Any]:
        """Everything kept about a donor; ProblemError 404."""
        async with self._database.transaction([organization], is_snapshot=True) as connection:
            now = datetime.now(UTC)
            found = await gather(connection, organization, donor, self._opener, now)
        if found is None:
            raise ProblemError("donor_not_found")
        audit.personal_read(donor)
        return found

    async def erase(
        self, caller: Caller, organization: str, donor: str, body: ErasureRequest
    ) -> dict[str, Any]:
        """Have a donor forgotten; asked again, the first request stands. ProblemError 404."""
        async with self._database.transaction([organization]) as connection:
            await store.lock(connection, donor)
            asked = await store.erasure(connection, organization, donor)
            if asked is None:
                if await store.profile(connection, organization, donor) is None:
                    raise ProblemError("donor_not_found")
                identifier = type_id("era", random_id(datetime.now(UTC)))
                row = (identifier, organization, donor, body.basis, caller.id)
                await store.ask_erasure(connection, row)
            elif asked["decision"] != "approved":  # Whose donor it is decides before staff does.
                await store_staff.decide(
                    connection, organization, asked["id"], "approved", caller.id, None
                )
            await audit.write(connection, donor, organization=organization)
            return await _erasure(connection, organization, donor)

    async def erasure(self, organization: str, donor: str) -> dict[str, Any]:
        """How far a donor's erasure is; ProblemError 404 when nobody asked for it."""
        async with self._database.transaction([organization]) as connection:
            return await _erasure(connection, organization, donor)

    async def consent(self, organization: str, donor: str) -> dict[str, Any]:
        """Whether a donor may be sent marketing; ProblemError 404."""
        async with self._database.transaction([organization]) as connection:
            return await _consent(connection, organization, donor)

    async def set_consent(
        self, caller: Caller, organization: str, donor: str, body: ConsentChange
    ) -> dict[str, Any]:
        """Note what a donor answered; ProblemError 404. Every answer is kept, with its time."""
        async with self._database.transaction([organization]) as connection:
            await store.lock(connection, donor)
            before = await _consent(connection, organization, donor)
            identifier = type_id("con", random_id(datetime.now(UTC)))
            answer = (body.is_given, body.wording, body.source)
            await store.add_consent(
                connection, (identifier, organization, donor, *answer, caller.id)
            )
            after = await _consent(connection, organization, donor)
            await audit.write(
                connection, donor, organization=organization, before=before, after=after
            )
        return after

    async def consent_of_gift(self, caller: Caller, donation: str) -> dict[str, Any]:
        """The same by a gift, for the key that sees it."""
        organization = (await self._donations.find(caller, donation)).organization
        donor = await self._donor_of(organization, donation)
        return await self.consent(organization, donor)

    async def set_consent_of_gift(
        self, caller: Caller, donation: str, body: ConsentChange
    ) -> dict[str, Any]:
        """The same by a gift, for the key that made it."""
        organization = (await self._donations.find_to_change(caller, donation)).organization
        donor = await self._donor_of(organization, donation)
        return await self.set_consent(caller, organization, donor, body)

    async def display(self, caller: Caller, donation: str) -> dict[str, Any]:
        """How a gift's donor is shown; ProblemError 404."""
        organization = (await self._donations.find(caller, donation)).organization
        now = await self._business_now()
        async with self._database.transaction([organization]) as connection:
            return await _display(connection, organization, donation, now)

    async def set_display(
        self, caller: Caller, donation: str, body: DisplayChange
    ) -> dict[str, Any]:
        """Show a gift's donor otherwise, from now on; ProblemError 404, 409 without a donor.

        More than the ledger shows of the gift is noted, and not shown while the ledger does not.
        """
        organization = (await self._donations.find_to_change(caller, donation)).organization
        donor = await self._donor_of(organization, donation)
        now = await self._business_now()
        async with self._database.transaction([organization]) as connection:
            await store.lock(connection, donor)
            before = await _display(connection, organization, donation, now)
            if before["display"] != body.display:
                await store.set_display(connection, organization, donation, body.display)
            after = await _display(connection, organization, donation, now)
            await audit.write(
                connection,
                donation,
                organization=organization,
                before=before["display"],
                after=after["display"],
            )
        return after

    async def _donor_of(self, organization: str, donation: str) -> str:
        async with self._database.transaction([organization]) as connection:
            row = await store.display(connection, organization, donation)
        if row is None:
            raise ProblemError("gift_without_donor")
        return str(row["profile"])


async def level_of(
    connection: AnyConnection, organization: str, donation: str, now: datetime
) -> Level:
    """What the public gets of a gift by now; nothing while it is not recorded."""
    entry = await store.entry(connection, organization, donation)
    if entry is None:
        return Level.LOG_ONLY
    changes = await labels.changes(connection, organization, [entry["id"]])
    reader = Reader(Role.PUBLIC, spell_ledger_time(now))
    return level(label_of(bytes(entry["bytes"])), changes.get(entry["id"]), reader)


async def _display(
    connection: AnyConnection, organization: str, donation: str, now: datetime
) -> dict[str, Any]:
    row = await store.display(connection, organization, donation)
    choice = None if row is None else row["display"]
    changed_at = None if row is None else row["display_changed_at"]
    return {
        "object": "gift_display",
        "donation": donation,
        "display": choice,
        "shown_as": effective(choice, await level_of(connection, organization, donation, now)),
        "changed_at": None if changed_at is None else spell_time(changed_at),
    }


async def _consent(connection: AnyConnection, organization: str, donor: str) -> dict[str, Any]:
    if await store.profile(connection, organization, donor) is None:
        raise ProblemError("donor_not_found")
    answers = await store.consents(connection, organization, donor)
    return consent_of(answers[0] if answers else None)


async def _erasure(connection: AnyConnection, organization: str, donor: str) -> dict[str, Any]:
    row = await store.erasure(connection, organization, donor)
    if row is None:
        raise ProblemError("donor_not_found")
    done_at = row["done_at"]
    return {
        "object": "erasure",
        "id": row["id"],
        "donor": donor,
        "status": _STATUS[row["decision"]] if done_at is None else "done",
        "basis": row["basis"],
        "requested_at": spell_time(row["requested_at"]),
        "done_at": None if done_at is None else spell_time(done_at),
    }
