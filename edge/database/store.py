"""Questions to the server itself, and the tenant scope of a transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from topics.outbox import AnyConnection

SET_SCOPE: Final = "SELECT set_config('app.organizations', $1, true)"
PING: Final = "SELECT 1"
BUSINESS_NOW: Final = "SELECT now FROM read.business_clock"
OUTBOX_AGE: Final = "SELECT seconds FROM read.outbox_age"


async def set_scope(connection: AnyConnection, organizations: Sequence[str]) -> None:
    """Let this transaction see the rows of these organizations, and no others."""
    await connection.execute(SET_SCOPE, ",".join(organizations))


async def ping(connection: AnyConnection) -> None:
    """Raise when the server does not answer."""
    await connection.fetchval(PING)


async def business_now(connection: AnyConnection) -> datetime:
    """The time by a sandbox's business clock."""
    now: datetime = await connection.fetchval(BUSINESS_NOW)
    return now


async def outbox_age_s(connection: AnyConnection) -> float:
    """The age of the oldest message in the outbox, in seconds; 0 when it is empty."""
    return float(await connection.fetchval(OUTBOX_AGE))
