"""Signing in: pure rules of addresses, cookies, requests from other sites, and time.

Sources: RFC 6265bis (cookie prefixes, SameSite), RFC 7636 (PKCE), RFC 9207 (mix-up), RFC 9470
(step-up), Fetch Metadata, OpenID Connect Core 1.0 and RP-Initiated Logout 1.0.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode, urlsplit

from edge.sessions.models import Login, StoredSession
from edge.tokens.models import Metadata, ProviderSettings

IDLE_MAX: Final = timedelta(hours=8)
AGE_MAX: Final = timedelta(days=7)
#: How exactly it is known when a session was last used: a write less on most requests.
SEEN_EVERY: Final = timedelta(minutes=1)
LOGIN_AGE_MAX: Final = timedelta(minutes=10)
#: For how long a person can see that a session has ended.
KEPT_AFTER_END: Final = timedelta(days=30)

CALLBACK: Final = "/v1/auth/callback"
RETURN_DEFAULT: Final = "/v1/me"
_SCOPE: Final = "openid profile email"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# No second slash and no backslash, which browsers read as one: both would name another host.
_LOCAL_PATH: Final = re.compile(r"/(?![/\\])[!-\[\]-~]{0,499}")
_RANDOM: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def is_alive(session: StoredSession, now: datetime) -> bool:
    """Whether the session still counts."""
    return (
        session.revoked_at is None and now < session.expires_at and now - session.seen_at < IDLE_MAX
    )


def is_local_path(text: str) -> bool:
    """Whether a browser that is sent there stays on this host."""
    return _LOCAL_PATH.fullmatch(text) is not None


def is_from_elsewhere(method: str, headers: Mapping[str, str], origin: str) -> bool:
    """Whether another site may have made the browser send this; cookies prove nothing then.

    A browser that says nothing of where a write comes from is not believed either.
    """
    if method in _SAFE_METHODS:
        return False
    site, said = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if said is not None and said != origin:
        return True
    return site != "same-origin" if site is not None else said is None


def origin_of(url: str) -> str:
    """The origin of an address, as browsers spell it (RFC 6454)."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = f":{parts.port}" if parts.port not in (None, default) else ""
    return f"{parts.scheme}://{host}{port}"


def authorization_url(
    metadata: Metadata,
    settings: ProviderSettings,
    login: Login,
    *,
    redirect: str,
    step_up_age_max: timedelta,
) -> str:
    """Where the browser is sent to sign in."""
    digest = hashlib.sha256(login.verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": redirect,
        "scope": _SCOPE,
        "state": login.state,
        "nonce": login.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    # A provider that is told an age must also tell when the person signed in (section 2).
    age_max = AGE_MAX
    if login.is_step_up:
        query["acr_values"] = " ".join(settings.step_up)
        age_max = step_up_age_max
    query["max_age"] = str(int(age_max.total_seconds()))
    return _with_query(metadata.authorization_endpoint, query)


def logout_url(metadata: Metadata, settings: ProviderSettings, back: str) -> str | None:
    """Where a person can leave the provider as well; None where it has no such page."""
    if metadata.end_session_endpoint is None:
        return None
    query = {"client_id": settings.client_id, "post_logout_redirect_uri": back}
    return _with_query(metadata.end_session_endpoint, query)


def is_answer_to(login: Login, query: Mapping[str, str], metadata: Metadata, now: datetime) -> bool:
    """Whether a callback belongs to the login that this browser began (RFC 9207 included)."""
    if now - login.begun_at > LOGIN_AGE_MAX or query.get("state") != login.state:
        return False
    issuer = query.get("iss")
    return issuer == metadata.issuer or (issuer is None and not metadata.names_itself)


def looks_like_secret(text: str) -> bool:
    """Whether a cookie may be a session's secret: 32 random bytes in base64url."""
    return _RANDOM.fullmatch(text) is not None


def _with_query(url: str, query: Mapping[str, str]) -> str:
    return url + ("&" if urlsplit(url).query else "?") + urlencode(query)
