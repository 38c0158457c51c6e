"""What the edge knows of a provider, and what a token that was accepted says."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

#: How far two clocks may differ, RFC 7519 section 4.1.4.
CLOCK_SKEW_S: Final = 60

ClientAuthentication = Literal["none", "client_secret_basic", "client_secret_post"]


class TokenRefusedError(Exception):
    """A token is not what it must be. The text is for the log: whoever sent it is told nothing."""


class ProviderAwayError(Exception):
    """The provider gave no answer that can be used, and what is known already does not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """Which provider, and as whom we are known there.

    `audience` is what access tokens for this API name; `step_up` are the `acr` values that count as
    a second factor. `allows_plain_http` is for a provider on this machine, in tests.
    """

    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    audience: str
    step_up: tuple[str, ...] = ("mfa",)
    allows_plain_http: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a provider says about itself (OpenID Connect Discovery 1.0, RFC 8414)."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    client_authentication: ClientAuthentication
    names_itself: bool
    """Whether answers to the callback carry `iss` (RFC 9207)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticated:
    """When and how a person signed in; None and nothing where the provider does not say."""

    at: datetime | None = None
    acr: str | None = None
    amr: frozenset[str] = frozenset()

    def is_strong(self, accepted: Collection[str]) -> bool:
        """Whether it was with a second factor: `acr` is one of `accepted`, or `amr` says `mfa`.

        Sources: RFC 9470, RFC 8176. Nothing is strong whose time nobody knows.
        """
        return self.at is not None and (self.acr in accepted or "mfa" in self.amr)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """An access token for this API that holds (RFC 9068)."""

    issuer: str
    subject: str
    client_id: str
    scopes: frozenset[str]
    authenticated: Authenticated
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who an ID token is about. `email` is one that the provider has verified."""

    issuer: str
    subject: str
    authenticated: Authenticated
    name: str | None = None
    email: str | None = None
