"""Who asks, when it is a person: by an access token, or by a browser's session.

An API key is none of this module's business. What is wrong with a token is told to nobody but the
log (RFC 6750 section 3.1). A session proves nothing for a write that another site may have sent.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from aiohttp import web

from edge.authentication import token_of
from edge.caller import Caller
from edge.errors import ProblemError
from edge.people.service import Persons
from edge.sessions.cookies import Cookies
from edge.sessions.decisions import is_from_elsewhere, origin_of
from edge.sessions.service import Sessions, away
from edge.settings import Environment
from edge.tokens import decisions
from edge.tokens.models import ProviderAwayError, TokenRefusedError
from edge.tokens.provider import Provider

#: The scope of a token that may do all that its person may.
EVERYTHING: Final = "amply"
_BEARER: Final = 'Bearer realm="amply"'
_log = structlog.get_logger()


class PersonAuthentication:
    """`edge.gate.People`: `scopes` are all that operations ask for."""

    def __init__(
        self,
        provider: Provider,
        persons: Persons,
        sessions: Sessions,
        cookies: Cookies,
        *,
        environment: Environment,
        url: str,
        scopes: Collection[str],
        step_up_age_max: timedelta,
    ) -> None:
        self._provider = provider
        self._persons = persons
        self._sessions = sessions
        self._cookies = cookies
        self._environment: Environment = environment
        self._origin = origin_of(url)
        self._scopes = frozenset(scopes)
        self._step_up_age_max = step_up_age_max

    async def caller_of(self, request: web.Request) -> Caller | None:
        """The person, of no organization yet; None when nobody; ProblemError 401, 403 or 503."""
        if "Authorization" in request.headers:
            token = token_of(request)
            if token is None or not decisions.looks_like_token(token):
                return None
            return await self._by_token(token)
        secret = self._cookies.session(request)
        if secret is None:
            return None
        if is_from_elsewhere(request.method, request.headers, self._origin):
            raise ProblemError("cross_site_request")
        return await self._by_session(secret)

    def step_up_challenge(self) -> str:
        """RFC 9470 section 3: which sign-in would do, and how fresh it must be."""
        wanted = " ".join(self._provider.settings.step_up)
        return (
            f'{_BEARER}, error="insufficient_user_authentication",'
            ' error_description="A fresh sign-in with a second factor is needed",'
            f' acr_values="{wanted}", max_age="{int(self._step_up_age_max.total_seconds())}"'
        )

    async def _by_token(self, raw: bytes) -> Caller:
        try:
            claims = await self._provider.claims(raw, "access_token")
            token = decisions.access_token(claims, self._provider.settings, datetime.now(UTC))
        except ProviderAwayError as error:
            raise away() from error
        except TokenRefusedError as error:
            _log.info("token_refused", reason=str(error))
            challenge = {"WWW-Authenticate": f'{_BEARER}, error="invalid_token"'}
            raise ProblemError("token_invalid", headers=challenge) from error
        person = await self._persons.known(token.issuer, token.subject)
        is_whole = EVERYTHING in token.scopes
        return Caller(
            id=person.id,
            kind="person",
            subject=f"user:{person.id}",
            organization="",
            environment=self._environment,
            scopes=self._scopes if is_whole else self._scopes & token.scopes,
            authenticated_at=token.authenticated.at,
            is_strong=token.authenticated.is_strong(self._provider.settings.step_up),
        )

    async def _by_session(self, secret: str) -> Caller:
        session = await self._sessions.find(secret)
        if session is None:
            raise ProblemError("session_ended", headers={"WWW-Authenticate": _BEARER})
        return Caller(
            id=session.person,
            kind="person",
            subject=f"user:{session.person}",
            organization="",
            environment=self._environment,
            scopes=self._scopes,
            session=session.id,
            authenticated_at=session.authenticated_at,
            is_strong=session.is_strong,
        )
