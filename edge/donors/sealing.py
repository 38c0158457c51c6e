"""Sealing one donor: the person's profile found or made, and who gave put under seal."""

from datetime import datetime

from contracts.donations import SealedDonor
from contracts.identifiers import random_id, type_id
from edge.donations import decisions, store
from edge.donations.models import Donor
from edge.donors.people import People
from ledger import keys
from ledger.personal_data import seal_donor
from topics.outbox import AnyConnection


class Sealing:
    """Seals under keys derived from the master key (32 bytes)."""

    def __init__(self, master_key: bytes) -> None:
        self._people = People(master_key)
        self._key_ring = keys.KeyRing(master_key)

    async def seal(
        self,
        connection: AnyConnection,
        organization: str,
        donor: Donor | None,
        donation: str,
        now: datetime,
    ) -> SealedDonor | None:
        """Who gave `donation`, sealed, with the gift noted for their rights; None for nobody."""
        value = decisions.donor_value(donor)
        if donor is None or value is None:
            return None
        person = decisions.person_of(donor) or f"gift {donation}"
        key = organization, self._people.hash(organization, person)
        rows = await store.find_profiles(connection, [key])
        if not rows:
            profile = type_id("prof", random_id(now))
            wrapped = self._key_ring.wrap(keys.new_data_key(), profile)
            rows = await store.create_profiles(connection, [(*key, profile, wrapped)])
        if not rows:  # Another edge made it at the same moment, and has committed.
            rows = await store.find_profiles(connection, [key])
        [row] = rows
        data_key = self._key_ring.unwrap(row["wrapped_key"], row["id"])
        seal, opening = seal_donor(value, row["id"], data_key)
        await store.note_gifts(connection, [(organization, row["id"], donation, donor.display)])
        return SealedDonor(profile=row["id"], seal=seal, opening=opening)
