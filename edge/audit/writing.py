"""The one call that leaves an audit row, in the transaction of what was written.

A row costs one insert and no lock; its place in the chain is given later (`workers/audit`).
"""

from collections.abc import Iterable
from hashlib import sha256

import orjson

from edge.audit import asking
from edge.audit.asking import Actor, Asking
from ledger.store import audit as store
from topics.outbox import AnyConnection


def digest(value: object) -> str | None:
    """SHA-256 in hex of a value's JSON with sorted keys; None of None.

    Never of personal data: a digest of what can be guessed tells it.
    """
    if value is None:
        return None
    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    return sha256(orjson.dumps(value, option=options, default=str)).hexdigest()


async def write(
    connection: AnyConnection,
    resource: str | None,
    *,
    organization: str | None = None,
    before: object = None,
    after: object = None,
) -> None:
    """Note that whoever asks wrote `resource` (an id), which was `before` and is `after`.

    `organization` is whose resource it is, in the transaction's scope; left out, the actor's own.
    Values are digested, never stored: give what tells a change (a version, a row, settings).
    """
    who = asking.current()
    deed = who.deed(*("done", resource, organization), before=digest(before), after=digest(after))
    await store.add(connection, [deed])
    who.has_written = True


async def write_gifts(
    connection: AnyConnection, action: str, gifts: Iterable[tuple[Actor, str, str]]
) -> None:
    """Note accepted gifts (who made it, organization, donation id), many at once.

    One row for each actor and organization, with how many there were: each gift names its key for
    ever, at the edge and to the ledger, so that a row a gift would say nothing more. A gift alone
    is named; of several, `after` is the digest of their ids, in order. No client is kept: who gives
    is not who is watched here.
    """
    by: dict[tuple[str, str], list[str]] = {}
    actors: dict[str, Actor] = {}
    for actor, organization, donation in gifts:
        actors[actor.id] = actor
        by.setdefault((actor.id, organization), []).append(donation)
    deeds = [
        Asking(actors[actor], action).deed(
            "done",
            donations[0] if len(donations) == 1 else "donations",
            organization,
            times=len(donations),
            after=digest(sorted(donations)),
        )
        for (actor, organization), donations in by.items()
    ]
    if deeds:
        await store.add(connection, deeds)


def personal_read(resource: str) -> None:
    """Note that the answer to what is asked now shows personal data of `resource` (an id)."""
    asking.current().personal_read = resource
