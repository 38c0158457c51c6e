"""Undelivered events and stuck objects: each leads to a look at its object, none is believed.

Rules: an event is swept once; the newest one swept is the cursor, so events are kept oldest first
and a crash in between leaves the later ones to the next sweep. What stays stuck is looked at again,
later and later.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from contracts.looks import LookRequested, PaymentLookRequested
from topics import outbox
from topics.codec import Record
from workers.gateways.database import tenant
from workers.gateways.stripe_listing import UndeliveredEvent, UnreachableError
from workers.gateways.stripe_objects import Intent
from workers.reconciliation import decisions
from workers.reconciliation.account import Resources
from workers.reconciliation.looks import NAME, account_look, look_message
from workers.reconciliation.store import healing, reading
from workers.reconciliation.store.reading import Account, Stuck
from workers.runtime.worker import Transient

#: Stripe's list may show an event some time after a later one.
OVERLAP: Final = timedelta(minutes=10)
#: A payment that needs the donor, or a bank's days, is looked at from this age on, then less often.
STUCK_AFTER: Final = timedelta(minutes=15)
STUCK_AT_ONCE: Final = 500
EVENTS_AT_ONCE: Final = 500

_log = structlog.get_logger(NAME)


async def sweep(resources: Resources, account: Account | None) -> int:
    """Look at what an account's undelivered events are about (None: the platform's own).

    The answer is how many of the events are news.
    """
    name = account.account if account else None
    async with resources.pool.acquire() as connection:
        cursor = await healing.cursor(connection, name)
    since = cursor - OVERLAP if cursor else None
    events: list[UndeliveredEvent] = []
    async for page in resources.listing.undelivered(name, since):
        events += page
    news = 0
    events.sort(key=lambda event: event.created)
    for start in range(0, len(events), EVENTS_AT_ONCE):
        news += await _keep(resources, account, events[start : start + EVENTS_AT_ONCE])
    if news:
        _log.warning("undelivered_events_swept", account=name, events=news)
    return news


async def _keep(
    resources: Resources, account: Account | None, events: Sequence[UndeliveredEvent]
) -> int:
    now, news = datetime.now(UTC), 0
    organization = account.organization if account else None
    looks: dict[LookRequested | str, Record] = {}
    async with tenant(resources.pool, organization or "") as connection:
        for event in events:
            look = (
                decisions.look_for_event(account.account, event.event_type, event.object)
                if account
                else None
            )
            disposition = _disposition(look, account)
            if not await healing.note_swept(connection, event, organization, disposition):
                continue
            news += 1
            if account is None or look is None:
                continue
            if isinstance(look, LookRequested):
                looks[look] = look_message(account.organization, look, now)
            else:
                looks[look] = account_look(account.organization, account.account, now)
        await outbox.queue(connection, looks.values())
    return news


def _disposition(look: LookRequested | str | None, account: Account | None) -> str:
    if account is None:
        return "no_organization"
    if isinstance(look, LookRequested):
        return "payments_look" if isinstance(look, PaymentLookRequested) else "payouts_look"
    return "not_handled" if look is None else "accounts_look"


async def look_at_stuck(resources: Resources, accounts: Sequence[Account]) -> int:
    """Look at what has been on its way for too long; how many looks were requested."""
    organizations = {account.organization for account in accounts}
    async with tenant(resources.pool, *organizations) as connection:
        found = await reading.stuck(connection, STUCK_AFTER, STUCK_AT_ONCE)
        named = [(one.object or one.donation or "", one) for one in found]
        due = await healing.note_stuck(connection, named)
    records = []
    for name, one in named:
        found_id = await _object_of(resources, one) if (name, one.kind) in due else None
        if found_id is not None:
            look = decisions.look_for_stuck(one.account, found_id, is_known=one.object is not None)
            if look is not None:
                records.append(look_message(one.organization, look, datetime.now(UTC)))
    async with resources.pool.acquire() as connection, connection.transaction():
        await outbox.queue(connection, records)
    return len(records)


async def _object_of(resources: Resources, one: Stuck) -> str | None:
    """The object at Stripe; that of a gift whose call was never answered is found by the gift."""
    if one.object is not None or one.donation is None:
        return one.object
    try:
        found = await resources.listing.intent_of(one.account, one.donation)
    except (UnreachableError, Transient):
        return None  # It stays stuck, and is asked for again.
    return found.id if isinstance(found, Intent) else None
