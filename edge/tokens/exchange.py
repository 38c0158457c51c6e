"""What the provider answers to a code: who came back, and what it says of them.

Sources: RFC 6749 section 4.1.3, RFC 7636 (PKCE), OpenID Connect Core 1.0 sections 3.1.3 and 5.3.
"""

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote_plus

import structlog

from edge.tokens import decisions
from edge.tokens.http import Fetch
from edge.tokens.models import (
    Identity,
    Metadata,
    ProviderAwayError,
    ProviderSettings,
    TokenRefusedError,
)
from edge.tokens.provider import Provider

_TOKEN_MAX: Final = 16_384
_log = structlog.get_logger()


class Exchange:
    """The client's side of the authorization code flow."""

    def __init__(self, provider: Provider, fetch: Fetch) -> None:
        self._provider = provider
        self._fetch = fetch

    async def identity(self, code: str, *, verifier: str, nonce: str, redirect: str) -> Identity:
        """Who the code is about.

        TokenRefusedError for a code or an ID token that does not hold, ProviderAwayError when the
        provider does not answer as it should. Access and refresh tokens are not kept.
        """
        settings = self._provider.settings
        metadata = await self._provider.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
        }
        answer = await self._fetch(
            metadata.token_endpoint, **_authenticated(form, metadata, settings)
        )
        said = answer.json if isinstance(answer.json, dict) else {}
        if answer.status == 400 and said.get("error") == "invalid_grant":
            raise TokenRefusedError("code")
        token = said.get("id_token")
        if answer.status != 200 or not isinstance(token, str) or len(token) > _TOKEN_MAX:
            # Such as `invalid_client`: ours to mend, so it is told to us and not to the person.
            _log.error("provider_refused_us", status=answer.status, error=_word(said.get("error")))
            raise ProviderAwayError("it gives no ID token")
        claims = await self._provider.claims(token.encode(), "id_token")
        who = decisions.identity(claims, settings, nonce, datetime.now(UTC))
        return await self._described(who, metadata, said.get("access_token"))

    async def _described(self, who: Identity, metadata: Metadata, token: object) -> Identity:
        """With name and address from UserInfo, where the ID token has none. Nobody needs them."""
        if metadata.userinfo_endpoint is None or not isinstance(token, str):
            return who
        if who.name is not None and who.email is not None:
            return who
        try:
            answer = await self._fetch(metadata.userinfo_endpoint, authorization=f"Bearer {token}")
        except ProviderAwayError:
            return who
        said = answer.json
        # Section 5.3.2: of somebody else it must not be used.
        if answer.status != 200 or not isinstance(said, dict) or said.get("sub") != who.subject:
            return who
        return replace(
            who,
            name=who.name or decisions.name_of(said),
            email=who.email or decisions.email_of(said),
        )


def _authenticated(
    form: Mapping[str, str], metadata: Metadata, settings: ProviderSettings
) -> dict[str, Any]:
    """The form, sent as the client that we are."""
    client, secret = settings.client_id, settings.client_secret or ""
    if metadata.client_authentication == "client_secret_basic":
        # RFC 6749 section 2.3.1: each part is form-encoded first.
        pair = f"{quote_plus(client)}:{quote_plus(secret)}".encode()
        return {"form": form, "authorization": "Basic " + base64.b64encode(pair).decode()}
    named = {**form, "client_id": client}
    if metadata.client_authentication == "client_secret_post":
        named["client_secret"] = secret
    return {"form": named}


def _word(text: object) -> str:
    return text[:60] if isinstance(text, str) and text.replace("_", "").isalnum() else "none"
