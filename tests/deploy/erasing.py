"""A person whom an organization knows, with gifts, and every row that is kept of them."""

import secrets
from datetime import UTC, datetime
from typing import Any

from deploy import erasure
from deploy.erasure import apply_journal, erase
from edge.donors.people import People
from ledger.entry import DonorSeal, Request
from ledger.keys import KeyRing, new_data_key
from tests.ledger import making
from tests.ledger.database import Database
from tests.ledger.making import name
from workers.retention.journal import Journal

MASTER = bytes(range(32))
MOMENT = datetime(2027, 3, 1, 12, tzinfo=UTC)


class Person:
    """An organization of its own, and one donor of it with recorded gifts."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.mark = secrets.token_hex(8)
        self.organization = name("org", self.mark)
        self.profile = name("prof", self.mark)
        self.email = f"ada-{self.mark}@example.org"

    async def arrive(self, *, gifts: int) -> "Person":
        organization = self.organization
        await self.database.fetch(
            "INSERT INTO edge.organizations (id, slug, name) VALUES ($1, $2, 'Hope')",
            organization,
            f"o{self.mark}",
        )
        await self.remember()
        await self.database.record(making.genesis(organization))
        for number in range(gifts):
            await self.database.record(self.gift(number))
            await self.promise(self.gift(number))
        return self

    async def remember(self) -> None:
        """The profile, as the edge makes it."""
        await self.database.fetch(
            "INSERT INTO edge.donor_profiles (id, organization, person_hash, wrapped_key)"
            " VALUES ($1, $2, $3, $4)",
            self.profile,
            self.organization,
            People(MASTER).hash(self.organization, self.email),
            KeyRing(MASTER).wrap(new_data_key(), self.profile),
        )

    def gift(self, number: int) -> Request:
        mark = f"{self.mark}/{number}"
        donor = DonorSeal(self.profile, making.seal(mark).seal, "QUJD")
        return making.donation(self.organization, mark)._replace(donor=donor)

    async def promise(self, gift: Request) -> None:
        """What edge, donations and payments keep of a gift."""
        await self.database.fetch(
            "INSERT INTO edge.requests (organization, environment, route, idempotency_key,"
            " fingerprint, donation, created_by, answer)"
            " VALUES ($1, 'test', 'POST', $2, sha256('typed'), $2, 'key', '')",
            self.organization,
            gift.subject,
        )
        await self.database.fetch(
            "INSERT INTO edge.donor_gifts (organization, profile, donation) VALUES ($1, $2, $3)",
            self.organization,
            self.profile,
            gift.subject,
        )
        await self.database.fetch(
            "INSERT INTO donations.donations (organization, id, status, amount_minor,"
            " payment_intent, updated_at) VALUES ($1, $2, 'recorded', 1, 'pi_' || $2, now())",
            self.organization,
            gift.subject,
        )
        await self.database.fetch(
            "INSERT INTO edge.stripe_events (id, event_type, payment_intent, disposition, body)"
            " VALUES ('evt_' || $1, 'charge.updated', 'pi_' || $1, 'passed_on', 'billing')",
            gift.subject,
        )

    async def traces(self) -> dict[str, int]:
        """Rows that hold anything of the person."""
        sql = {
            "profiles": "SELECT count(*) FROM edge.donor_profiles WHERE organization = $1",
            "gifts": "SELECT count(*) FROM edge.donor_gifts WHERE organization = $1",
            "openings": "SELECT count(*) FROM ledger.openings"
            " WHERE organization = $1 AND section = 'donor'",
            "fingerprints": "SELECT count(*) FROM edge.requests"
            " WHERE organization = $1 AND fingerprint = sha256('typed')",
            "events": "SELECT count(*) FROM edge.stripe_events AS event JOIN donations.donations"
            " AS donation USING (payment_intent) WHERE organization = $1 AND body <> ''",
        }
        return {
            what: await self.database.value(one, self.organization) for what, one in sql.items()
        }

    async def pending(self) -> set[str]:
        rows = await self.database.fetch(
            "SELECT entry_id FROM ledger.pending_erasures WHERE organization = $1",
            self.organization,
        )
        return {row["entry_id"] for row in rows}

    async def erase(self, journal: Journal, **given: Any) -> erasure.Erased:
        async with self.database.connect("operations") as connection:
            return await erase(connection, journal, self.organization, self.profile, **given)

    async def forget_again(self, journal: Journal) -> int:
        async with self.database.connect("operations") as connection:
            return await apply_journal(connection, journal)


NOTHING = {"profiles": 0, "gifts": 0, "openings": 0, "fingerprints": 0, "events": 0}
