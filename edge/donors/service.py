"""Donors of an organization, for those who may see who they are.

Whoever gets here has the scope and the permission `view_donors`: names and addresses are decrypted
for them only, and each read is noted.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from edge.audit import writing as audit
from edge.database.pool import Database
from edge.donors import store_profiles as store
from edge.donors.people import People, person_of
from edge.errors import ProblemError
from edge.listing import Page
from edge.rights.display import Output, shown_of
from edge.times import spell_time
from ledger import keys
from ledger.personal_data import open_donor
from ledger.visibility import Level


class Donors:
    """Reads donors. Keys are derived from the master key (32 bytes)."""

    def __init__(self, database: Database, master_key: bytes) -> None:
        self._database = database
        self._people = People(master_key)
        self._key_ring = keys.KeyRing(master_key)

    async def page(self, organization: str, page: Page, email: str | None) -> dict[str, Any]:
        """A page of donors; with an address, the one person who gave with it."""
        person = None
        if email is not None:
            person = self._people.hash(organization, person_of(email))
        async with self._database.transaction([organization]) as connection:
            rows = await store.profiles(
                connection, organization, page.after_or_nulls, person, page.rows_max
            )
        audit.personal_read("donors")
        return page.of(rows, self._resource)

    async def show(self, organization: str, identifier: str) -> dict[str, Any]:
        """One donor; ProblemError 404, also for one who was forgotten."""
        async with self._database.transaction([organization]) as connection:
            row = await store.profile(connection, organization, identifier)
        if row is None:
            raise ProblemError("donor_not_found")
        audit.personal_read(identifier)
        return self._resource(row)

    async def gifts(self, organization: str, identifier: str, page: Page) -> dict[str, Any]:
        """A page of a donor's gifts; ProblemError 404."""
        async with self._database.transaction([organization]) as connection:
            if not await store.is_there(connection, organization, identifier):
                raise ProblemError("donor_not_found")
            rows = await store.gifts(
                connection, organization, identifier, page.after_or_nulls, page.rows_max
            )
        audit.personal_read(identifier)
        return page.of(rows, _gift)

    def _resource(self, row: Mapping[str, Any]) -> dict[str, Any]:
        person = None
        if row["ciphertext"] is not None:
            data_key = self._key_ring.unwrap(row["wrapped_key"], row["id"])
            value = open_donor(row["ciphertext"], row["id"], data_key)["value"]
            # Who gets here sees donors, whatever the ledger shows of their gifts.
            shown = shown_of(value, row["id"], None, Level.LOG_ONLY, Output.STAFF)
            display = value.get("display", "public")
            person = {"name": shown.name, "email": shown.email, "display": display}
        return {
            "id": row["id"],
            "object": "donor",
            "organization": row["organization"],
            "person": person,
            "given": orjson.loads(row["given"]),
            "created_at": spell_time(row["created_at"]),
        }


def _gift(row: Mapping[str, Any]) -> dict[str, Any]:
    copied = ("id", "is_offline", "status", "amount_minor", "currency")
    return {
        **{name: row[name] for name in copied},
        "object": "donor_gift",
        "entry": row["entry_id"],
        "created_at": spell_time(row["created_at"]),
    }
