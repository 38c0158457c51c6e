"""Who asks, whichever way it was proved: one value that services and logs are given."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from aiohttp import web

from edge.directory.records import Organization
from edge.settings import Environment

#: How old a sign-in with a second factor may be for what needs one.
STEP_UP_AGE_MAX: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks.

    `id` is `key_…` or `usr_…`; `subject` is what SpiceDB knows them as (`api_key:key_…`).
    `organization` is the one on whose behalf they ask: a key's own; for a person the one in the
    path, else the one named in `Amply-Organization`, else empty. `authenticated_at` and `is_strong`
    are of a person's sign-in: when, and whether with a second factor (RFC 9470). A collector's key
    asks for the collector: `organization` is `col_…`, and so is the subject. A publishable key has
    `origins`: of the pages that it may stand in.
    """

    id: str
    kind: Literal["api_key", "person"]
    subject: str
    organization: str
    environment: Environment
    scopes: frozenset[str]
    session: str | None = None
    authenticated_at: datetime | None = None
    is_strong: bool = False
    origins: frozenset[str] = frozenset()


CALLER: Final = web.RequestKey("caller", Caller)
#: The organization in the path, for those whom the gate let through.
ORGANIZATION: Final = web.RequestKey("organization", Organization)


def is_stepped_up(caller: Caller) -> bool:
    """Whether a second factor was shown just now. Keys act without a person: what they may is
    settled when they are made.
    """
    if caller.kind != "person":
        return True
    signed_in = caller.authenticated_at
    return (
        caller.is_strong
        and signed_in is not None
        and datetime.now(UTC) - signed_in <= STEP_UP_AGE_MAX
    )


def caller_of(request: web.Request) -> Caller:
    """Who asks; only behind the gate (`edge/gate.py`)."""
    return request[CALLER]
