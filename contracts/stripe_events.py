"""Stripe events: that Stripe told us something. What exactly is fetched from Stripe."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from contracts.message import Body, StripeId


class StripeEventReceived(Body):
    """A webhook whose signature was verified; its bytes lie encrypted in PostgreSQL.

    `object` is the id of the object that the event is about, on the connected account `account`.
    Source: Stripe API reference, "The Event object".
    """

    event: StripeId
    event_type: Annotated[str, Field(pattern=r"^[a-z0-9_.]{1,100}$")]
    account: StripeId
    object: StripeId
    created: datetime
    livemode: bool
    api_version: Annotated[str, Field(pattern=r"^[0-9A-Za-z._-]{1,40}$")]
