"""Sessions, and what the API shows of a person and their sessions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from contracts.message import OrganizationId


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as it is stored. `agent` is sealed under the person's key."""

    id: str
    person: str
    authenticated_at: datetime | None
    is_strong: bool
    agent: bytes | None
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A login under way, as the browser keeps it, sealed: RFC 6749, RFC 7636, OpenID Connect."""

    state: str
    nonce: str
    verifier: str
    return_to: str
    is_step_up: bool
    begun_at: datetime


class Session(BaseModel):
    """A browser that is signed in. It ends at `expires_at`, or after 8 hours without use.

    `is_strong`: a second factor was shown at `authenticated_at`. `agent` is the browser's own name.
    """

    id: str
    object: Literal["session"]
    is_current: bool
    is_strong: bool
    agent: str | None
    created_at: str
    authenticated_at: str | None
    last_seen_at: str
    expires_at: str
    revoked_at: str | None


class SessionList(BaseModel):
    """The person's sessions, newest first."""

    object: Literal["list"]
    data: list[Session]


class Membership(BaseModel):
    """What the person is or was in an organization; `removed_at`: no more."""

    organization: OrganizationId
    slug: str
    status: str
    role: str
    expires_at: str | None
    removed_at: str | None
    created_at: str
    updated_at: str


class ManagedCollector(BaseModel):
    """A collector that the person manages."""

    id: str
    name: str
    kind: str
    website: str | None
    status: str
    created_at: str


class Application(BaseModel):
    """An organization that the person applied for."""

    id: OrganizationId
    slug: str
    status: str
    created_at: str


class PersonErasure(BaseModel):
    """The person asked to be forgotten: `done` once no name and no address is left."""

    object: Literal["erasure"]
    id: str
    person: str
    status: Literal["requested", "done"]
    basis: str
    requested_at: str
    done_at: str | None


class Me(BaseModel):
    """Who asks, and all that is kept of them. `name` and `email` are what the provider said last.

    The address is verified; `session` is null for an access token. What the person did is in the
    audit logs of organizations, by this id alone, and leaves with the erasure what tells from
    where. Gifts are kept with the organizations that got them (`.../donors/{donor}/data`).
    """

    id: str
    object: Literal["person"]
    name: str | None
    email: str | None
    session: str | None
    authenticated_at: str | None
    is_strong: bool
    created_at: str | None
    memberships: list[Membership]
    collectors: list[ManagedCollector]
    applications: list[Application]
    staff_role: str | None
    sessions: list[Session]
    erasure: PersonErasure | None


class SignedOut(BaseModel):
    """The session has ended here. At `provider_url`, if any, the person can leave there too."""

    object: Literal["signed_out"]
    provider_url: str | None
