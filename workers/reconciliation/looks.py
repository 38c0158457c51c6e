"""Looks as records of the outbox: each is a message of its own, since each shall be looked at."""

from datetime import datetime
from typing import Final

from contracts.accounts import AccountRequested
from contracts.identifiers import random_id, type_id
from contracts.looks import LookRequested, PaymentLookRequested, PayoutLookRequested
from contracts.message import Envelope
from topics import outbox
from topics.codec import Record
from topics.registry import (
    ACCOUNTS_REQUESTED,
    PAYMENTS_LOOK_REQUESTED,
    PAYOUTS_LOOK_REQUESTED,
)

NAME: Final = "reconciliation"


def look_message(organization: str, look: LookRequested, now: datetime) -> Record:
    """The request to look at an object of this organization's account."""
    if isinstance(look, PaymentLookRequested):
        topic = PAYMENTS_LOOK_REQUESTED
        asked = Envelope(random_id(now), topic.name, now, organization, None, look)
        return outbox.prepare(NAME, topic, asked)
    assert isinstance(look, PayoutLookRequested)
    name = PAYOUTS_LOOK_REQUESTED.name
    payout = Envelope(random_id(now), name, now, organization, None, look)
    return outbox.prepare(NAME, PAYOUTS_LOOK_REQUESTED, payout)


def account_look(organization: str, account: str, now: datetime) -> Record:
    """The request to look at an account itself: what it may do, whether it lets us in."""
    identifier = random_id(now)
    look = AccountRequested(request=type_id("areq", identifier), action="look", account=account)
    asked = Envelope(identifier, ACCOUNTS_REQUESTED.name, now, organization, None, look)
    return outbox.prepare(NAME, ACCOUNTS_REQUESTED, asked)
