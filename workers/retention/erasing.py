"""Forgetting a person: the journal's line first, then one transaction over all that holds a part.

Rules: whoever is in the journal is forgotten after the next start at the latest, so a crash between
line and commit remembers nobody; applying the journal again changes nothing; nothing here reads or
prints what a donor typed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from ledger.audit import PLATFORM, Deed
from ledger.store import audit
from ledger.store import erasure as ledger
from topics.failpoints import reach
from workers.retention import store_donors as donors
from workers.retention import store_people as people
from workers.retention.journal import Erasure, Journal, PersonErasure

BASIS_DEFAULT: Final = "gdpr-17"
_BASIS: Final = re.compile(r"[a-z0-9-]{1,40}")


class Actor(NamedTuple):
    """Who carries an erasure out, as the audit log names them."""

    kind: str
    id: str


OPERATOR: Final = Actor("operator", "cli")


class ErasureError(ValueError):
    """Nobody can be forgotten so; the text says what to correct."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure reached: gifts at the edge, entries whose erasure the log will state.

    `earlier` is the time of an earlier erasure of the same profile: then nothing was left to do.
    """

    profile: str
    gifts: int
    entries: int
    earlier: datetime | None = None


async def erase(
    connection: Any,
    journal: Journal,
    organization: str,
    profile: str,
    *,
    basis: str = BASIS_DEFAULT,
    actor: Actor = OPERATOR,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Erased:
    """Forget a profile of an organization (ids), for a reason given as a code.

    `connection` is of `amply_operations` or `amply_retention`. ErasureError when there is no such
    profile.
    """
    if not _BASIS.fullmatch(basis):
        raise ErasureError("a basis is a code of lower-case letters, digits and hyphens: gdpr-17")
    async with connection.transaction():
        await donors.set_scope(connection, [organization])
        if not await donors.known(connection, [profile]):
            earlier = await ledger.forgotten_at(connection, organization, profile)
            if earlier is None:
                raise ErasureError(f"the organization has no donor {profile}")
            return Erased(profile, 0, 0, earlier)
        erasure = Erasure(organization, profile, basis, now())
        journal.add(erasure)
        reach("erasure.journaled")
        erased = await _forget(connection, erasure, actor)
        reach("erasure.before_commit")
    reach("erasure.committed")
    await donors.clean(connection)
    return erased


async def erase_person(
    connection: Any,
    journal: Journal,
    person: str,
    *,
    basis: str = BASIS_DEFAULT,
    actor: Actor = OPERATOR,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> bool:
    """Forget somebody who signs in (`usr_…`); False when nobody was there, any more perhaps."""
    erasure = PersonErasure(person, basis, now())
    async with connection.transaction():
        journal.add(erasure)
        reach("erasure.journaled")
        was_known = await people.forget(connection, person)
        if was_known:
            await audit.add(connection, [_deed_of_person(erasure, actor)])
    return was_known


async def apply_journal(connection: Any, journal: Journal) -> int:
    """Forget again whom the journal names and this database remembers; how many there were.

    Before anything serves a database that was restored. JournalError when the journal is damaged.
    """
    count = 0
    for gone in journal.read_people():
        count += await people.forget(connection, gone.person)
    erasures = journal.read()
    if not erasures:
        return count
    forgotten = await ledger.forgotten(connection)
    async with connection.transaction():
        await donors.set_scope(connection, sorted({one.organization for one in erasures}))
        # Both are asked, in case only some of the tables were restored.
        forgotten -= await donors.known(connection, [one.profile for one in erasures])
    for erasure in erasures:
        if (erasure.organization, erasure.profile) not in forgotten:
            async with connection.transaction():
                await donors.set_scope(connection, [erasure.organization])
                await _forget(connection, erasure)
            forgotten.add((erasure.organization, erasure.profile))
            count += 1
    if count:
        await donors.clean(connection)
    return count


async def _forget(connection: Any, erasure: Erasure, actor: Actor = OPERATOR) -> Erased:
    organization, profile = erasure.organization, erasure.profile
    gifts = await donors.gifts(connection, organization, profile)
    entries = await ledger.forget(
        connection, organization, profile, list(gifts), erasure.basis, erasure.forgotten_at
    )
    await audit.forget(connection, resources=[profile, *gifts])
    await audit.add(connection, [_deed(erasure, actor)])
    payments = [payment for payment in gifts.values() if payment is not None]
    await donors.forget(connection, organization, profile, payments)
    return Erased(profile, len(gifts), entries)


def _deed(erasure: Erasure, actor: Actor) -> Deed:
    return _noted(erasure.organization, "eraseDonor", erasure.profile, actor)


def _deed_of_person(erasure: PersonErasure, actor: Actor) -> Deed:
    return _noted(PLATFORM, "erasePerson", erasure.person, actor)


def _noted(organization: str, action: str, resource: str, actor: Actor) -> Deed:
    nothing = dict.fromkeys(("credential", "request", "code", "before", "after", "client"))
    return Deed(
        organization=organization,
        occurred_at=datetime.now(UTC),
        actor_kind=actor.kind,
        actor=actor.id,
        action=action,
        resource=resource,
        outcome="done",
        times=1,
        **nothing,
    )
