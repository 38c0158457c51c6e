"""Who asks, whichever way it was proved: one value that services and logs are given."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from aiohttp import web

from edge.directory.records import Organization
from edge.settings import Environment


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


def caller_of(request: web.Request) -> Caller:
    """Who asks; only behind the gate (`edge/gate.py`)."""
    return request[CALLER]
