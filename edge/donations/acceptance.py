"""Accepting gifts: many requests, one transaction, each durable before it is answered.

In order: claim the Idempotency-Keys, find or make the donors' profiles (only for gifts whose key
was free), seal the donors, note whose gifts these are, queue the messages. A gift whose key was
taken is answered as the earlier request was, or refused when it is another request.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson

from contracts.donations import SealedDonor
from contracts.identifiers import random_id, type_id
from edge.audit import writing as audit
from edge.database.pool import Database
from edge.donations import decisions, store
from edge.donations.decisions import Gift
from edge.donors.people import People
from edge.errors import ProblemError
from ledger import keys
from ledger.personal_data import seal_donor
from topics import failpoints, outbox
from topics.codec import Record
from topics.outbox import AnyConnection
from topics.registry import DONATIONS_REQUESTED

ROUTE: Final = "POST /v1/donations"
ACTION: Final = "createDonation"
_SENDER: Final = "edge"
_ANSWER: Final = "idempotency-answer"

RequestKey = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Accepting:
    """A gift with the key, the fingerprint and the trace of the request that makes it."""

    key: RequestKey
    fingerprint: bytes
    gift: Gift
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The body to answer, and whether an earlier request had made the gift."""

    donation: str
    body: bytes
    is_replay: bool


class Acceptance:
    """Commits batches of gifts."""

    def __init__(self, database: Database, master_key: bytes) -> None:
        self._database = database
        self._key_ring = keys.KeyRing(master_key)
        self._people = People(master_key)
        self._answer_key = keys.derive(master_key, _ANSWER)

    async def commit(self, batch: Sequence[Accepting]) -> list[Accepted | ProblemError]:
        """The result of each request, in order; ProblemError 503 while PostgreSQL is away."""
        answers = [orjson.dumps(decisions.answer_of(item.gift)) for item in batch]
        rows = [
            (
                *item.key,
                item.fingerprint,
                item.gift.donation,
                item.gift.caller.id,
                keys.encrypt(self._answer_key, answer, item.gift.donation.encode()),
            )
            for item, answer in zip(batch, answers, strict=True)
        ]
        scope = {item.key[0] for item in batch} | {item.gift.organization.id for item in batch}
        async with self._database.transaction(sorted(scope)) as connection:
            new = await store.claim(connection, rows)
            gifts = [item.gift for item in batch if item.gift.donation in new]
            traces = {item.gift.donation: item.trace for item in batch}
            results: list[Accepted | ProblemError] = [
                Accepted(item.gift.donation, answer, is_replay=False)
                if item.gift.donation in new
                else await self._earlier(connection, item.key, item.fingerprint)
                for item, answer in zip(batch, answers, strict=True)
            ]
            donors = await self._seal(connection, gifts)
            records = [
                outbox.prepare(
                    _SENDER,
                    DONATIONS_REQUESTED,
                    decisions.message_of(gift, donors.get(gift.donation)),
                    trace=traces[gift.donation],
                )
                for gift in gifts
            ]
            made = [(gift.caller, gift.organization.id, gift.donation) for gift in gifts]
            await audit.write_gifts(connection, ACTION, made)
            await outbox.queue(connection, records)
            failpoints.reach("edge.before_commit")
        failpoints.reach("edge.committed")
        return results

    async def take(
        self,
        key: RequestKey,
        fingerprint: bytes,
        *,
        donation: str,
        api_key: str,
        answer: bytes,
        organization: str,
        record: Record,
    ) -> Accepted | ProblemError:
        """Commit what is asked of an accepted gift: the request, its answer, one message."""
        sealed = keys.encrypt(self._answer_key, answer, donation.encode())
        row = (*key, fingerprint, donation, api_key, sealed)
        async with self._database.transaction(sorted({key[0], organization})) as connection:
            if not await store.claim(connection, [row]):
                return await self._earlier(connection, key, fingerprint)
            await audit.write(connection, donation, organization=organization)
            await outbox.queue(connection, [record])
        return Accepted(donation, answer, is_replay=False)

    async def replay(self, key: RequestKey, fingerprint: bytes) -> Accepted | None:
        """What was answered under this key; None when it is free, ProblemError when reused."""
        async with self._database.transaction([key[0]]) as connection:
            if await store.find_request(connection, key) is None:
                return None
            result = await self._earlier(connection, key, fingerprint)
        if isinstance(result, ProblemError):
            raise result
        return result

    def open_answer(self, donation: str, ciphertext: bytes) -> bytes:
        """The body that a stored answer holds."""
        return keys.decrypt(self._answer_key, ciphertext, donation.encode())

    async def _earlier(
        self, connection: AnyConnection, key: RequestKey, fingerprint: bytes
    ) -> Accepted | ProblemError:
        row = await store.find_request(connection, key)
        assert row is not None
        if not hmac.compare_digest(row["fingerprint"], fingerprint):
            return ProblemError("idempotency_key_reused")
        body = self.open_answer(row["donation"], row["answer"])
        return Accepted(row["donation"], body, is_replay=True)

    async def _seal(
        self, connection: AnyConnection, gifts: Sequence[Gift]
    ) -> dict[str, SealedDonor]:
        people = {gift.donation: person for gift in gifts if (person := self._person(gift))}
        if not people:
            return {}
        known = {people[gift.donation] for gift in gifts if _has_address(gift)}
        profiles = await self._profiles(connection, gifts[0].now, set(people.values()), known)
        sealed = {}
        for gift in gifts:
            value = decisions.donor_value(gift.request.donor)
            if value is not None:
                profile, data_key = profiles[people[gift.donation]]
                seal, opening = seal_donor(value, profile, data_key)
                sealed[gift.donation] = SealedDonor(profile=profile, seal=seal, opening=opening)
        given = [
            (gift.organization.id, sealed[gift.donation].profile, gift.donation, donor.display)
            for gift in gifts
            if gift.donation in sealed and (donor := gift.request.donor) is not None
        ]
        await store.note_gifts(connection, given)
        return sealed

    def _person(self, gift: Gift) -> tuple[str, bytes] | None:
        """The organization, and a keyed hash of the address: without one, a new person."""
        if decisions.donor_value(gift.request.donor) is None:
            return None
        assert gift.request.donor is not None
        name = decisions.person_of(gift.request.donor) or f"gift {gift.donation}"
        return gift.organization.id, self._people.hash(gift.organization.id, name)

    async def _profiles(
        self,
        connection: AnyConnection,
        now: datetime,
        wanted: set[tuple[str, bytes]],
        known: set[tuple[str, bytes]],
    ) -> dict[tuple[str, bytes], tuple[str, bytes]]:
        """Each person's profile and data key, made where there is none.

        Only those in `known` can have one: who gave no address is a new person each time.
        """
        rows = list(await store.find_profiles(connection, sorted(known))) if known else []
        missing = wanted - {(row["organization"], row["person_hash"]) for row in rows}
        if missing:
            fresh = []
            for organization, person in missing:
                profile = type_id("prof", random_id(now))
                wrapped = self._key_ring.wrap(keys.new_data_key(), profile)
                fresh.append((organization, person, profile, wrapped))
            made = await store.create_profiles(connection, fresh)
            rows += made
            lost = missing - {(row["organization"], row["person_hash"]) for row in made}
            if lost:  # Another edge made them at the same moment, and has committed.
                rows += await store.find_profiles(connection, sorted(lost))
        return {
            (row["organization"], row["person_hash"]): (
                row["id"],
                self._key_ring.unwrap(row["wrapped_key"], row["id"]),
            )
            for row in rows
        }


def _has_address(gift: Gift) -> bool:
    donor = gift.request.donor
    return donor is not None and decisions.person_of(donor) is not None
