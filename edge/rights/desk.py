"""Requests to forget donors that reach staff: noted, decided, carried out by the one path.

Support notes what somebody wrote, by the donor's id or mail address, which is hashed and kept
nowhere. A superuser decides. What is approved `retention` carries out, as all others.
"""

from datetime import UTC, datetime
from typing import Any, Final, Literal

from contracts.identifiers import random_id, type_id
from edge.audit import writing as audit
from edge.caller import Caller
from edge.database.pool import Database
from edge.directory.directory import Directory
from edge.donors import store as donors
from edge.donors.people import People, person_of
from edge.errors import ProblemError
from edge.listing import Columns, Page
from edge.rights import store, store_staff
from edge.rights.models import StaffErasureRequest
from edge.times import spell_time

Decision = Literal["approved", "refused"]
#: What may become of a request. An approval stands: it may have been carried out by now.
_DECIDABLE: Final[dict[str, frozenset[Decision]]] = {
    "waiting": frozenset({"approved", "refused"}),
    "refused": frozenset({"approved"}),
}
#: How a decision shows, so that to decide the same again is no mistake.
_SHOWN: Final[dict[Decision, frozenset[str]]] = {
    "approved": frozenset({"requested", "done"}),
    "refused": frozenset({"refused"}),
}


class ErasureDesk:
    """What staff does with requests. Callers have passed the gate."""

    def __init__(self, database: Database, directory: Directory, master_key: bytes) -> None:
        self._database = database
        self._directory = directory
        self._people = People(master_key)

    async def page(self, page: Page) -> dict[str, Any]:
        """A page of all requests, oldest first."""
        async with self._database.transaction([]) as connection:
            rows = await store_staff.page(
                connection, page.filters.get("status"), page.after_or_nulls, page.rows_max
            )
        return page.of(rows, _resource)

    async def ask(self, caller: Caller, body: StaffErasureRequest) -> dict[str, Any]:
        """A request that waits for a decision; the one that there is, if there is one.

        ProblemError 404 for an organization or a donor that there is not.
        """
        found = await self._directory.organization(body.organization)
        if found is None:
            raise ProblemError("organization_not_found", param="organization")
        organization = found.id
        async with self._database.transaction([organization]) as connection:
            donor = body.donor
            if body.email is not None:
                person = self._people.hash(organization, person_of(body.email))
                donor = await donors.find_by_person(connection, organization, person)
            if donor is None or await store.profile(connection, organization, donor) is None:
                raise ProblemError("donor_not_found")
            await store.lock(connection, donor)
            identifier = type_id("era", random_id(datetime.now(UTC)))
            await store_staff.ask(
                connection, identifier, organization, donor, body.basis, caller.id
            )
            await audit.write(connection, donor, organization=organization)
            row = await store.erasure(connection, organization, donor)
            assert row is not None, "it was asked for in this transaction, or before"
            shown = await store_staff.one(connection, row["id"])
        assert shown is not None, "as above"
        return _resource(shown)

    async def decide(
        self, caller: Caller, identifier: str, decision: Decision, reason: str | None = None
    ) -> dict[str, Any]:
        """The request after the decision; ProblemError 404, 409 when it is decided otherwise."""
        async with self._database.transaction([]) as connection:
            known = await store_staff.one(connection, identifier)
        if known is None:
            raise ProblemError("erasure_not_found")
        organization, donor = known["organization"], known["profile"]
        async with self._database.transaction([organization]) as connection:
            await store.lock(connection, donor)
            row = await store_staff.one(connection, identifier)
            if row is None:
                raise ProblemError("erasure_not_found")
            before = row["status"]
            if before not in _SHOWN[decision]:
                if decision not in _DECIDABLE.get(before, ()):
                    raise ProblemError("erasure_decided", f"The request is {before}.")
                await store_staff.decide(
                    connection, organization, identifier, decision, caller.id, reason
                )
            await audit.write(
                connection, donor, organization=organization, before=before, after=decision
            )
            row = await store_staff.one(connection, identifier)
            assert row is not None, "it was there in this transaction"
        return _resource(row)


def _resource(row: Columns) -> dict[str, Any]:
    times = {"requested_at": row["created_at"]} | {
        name: row[name] for name in ("decided_at", "done_at")
    }
    copied = ("id", "organization", "status", "basis", "requested_by", "decided_by", "reason")
    return {
        **{name: row[name] for name in copied},
        "object": "erasure_request",
        "donor": row["profile"],
        **{name: None if at is None else spell_time(at) for name, at in times.items()},
    }
