"""The provider as the edge knows it: metadata and keys, fetched once and kept, renewed behind.

Rules: known keys serve while the provider is away, for a day at most; an unknown key id has the
keys fetched anew, at most once in a cool-down, so that made-up ids cost nothing; one fetch runs at
a time, and whoever needs it waits for that one.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog

from edge.tokens import decisions
from edge.tokens.decisions import Claims, Kind, Unverified
from edge.tokens.http import DEADLINE_S, Answer, Fetch, is_safe
from edge.tokens.keys import SigningKey, find, signing_keys
from edge.tokens.models import (
    ClientAuthentication,
    Metadata,
    ProviderAwayError,
    ProviderSettings,
    TokenRefusedError,
)

#: From this age on metadata and keys are renewed, with nobody waiting for it.
RENEW_AFTER_S: Final = 600.0
#: A key that the provider took back serves no longer than this, even if it never answers again.
STALE_S_MAX: Final = 86_400.0
COOL_DOWN_S: Final = 10.0
_DISCOVERY: Final = "/.well-known/openid-configuration"
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Known:
    """What the provider told, and when by our clock."""

    metadata: Metadata
    keys: tuple[SigningKey, ...]
    fetched_at: float


class Provider:
    """One provider. `clock` gives seconds that only grow."""

    def __init__(
        self, settings: ProviderSettings, fetch: Fetch, clock: Callable[[], float]
    ) -> None:
        self.settings = settings
        self._fetch = fetch
        self._clock = clock
        self._known: Known | None = None
        self._task: asyncio.Task[None] | None = None
        self._tried_at = float("-inf")
        self._is_away = False

    def start(self) -> None:
        """Ask the provider already, so that the first person need not wait for it."""
        _ = self._renew()

    async def close(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError, ProviderAwayError):
                await self._task

    async def metadata(self) -> Metadata:
        """What the provider says about itself; ProviderAwayError when nobody knows."""
        return (await self._current()).metadata

    async def claims(self, token: bytes, kind: Kind) -> Claims:
        """What a token says whose signature is the provider's.

        TokenRefusedError when it is not; ProviderAwayError when its key is unknown and cannot be
        asked for.
        """
        unverified = decisions.read(token, kind)
        return decisions.verify(unverified, await self._key_of(unverified))

    async def _key_of(self, token: Unverified) -> SigningKey:
        known = await self._current()
        key = find(known.keys, token.key_id, token.algorithm)
        if key is None:
            await self._ask_again()
            assert self._known is not None
            key = find(self._known.keys, token.key_id, token.algorithm)
        if key is None:
            raise TokenRefusedError("unknown key")
        return key

    async def _ask_again(self) -> None:
        if self._task is None and self._clock() - self._tried_at < COOL_DOWN_S:
            if self._is_away:
                raise ProviderAwayError("not asked again yet")
            return
        await asyncio.shield(self._renew())

    async def _current(self) -> Known:
        known, now = self._known, self._clock()
        if known is not None and now - known.fetched_at < STALE_S_MAX:
            if now - known.fetched_at > RENEW_AFTER_S and now - self._tried_at > COOL_DOWN_S:
                _ = self._renew()
            return known
        self._known = None
        await self._ask_again()
        if self._known is None:
            raise ProviderAwayError("not asked again yet")
        return self._known

    def _renew(self) -> asyncio.Task[None]:
        if self._task is None:
            self._tried_at = self._clock()
            self._task = asyncio.create_task(self._ask(), name="provider")
            self._task.add_done_callback(self._settle)
        return self._task

    def _settle(self, done: asyncio.Task[None]) -> None:
        self._task = None
        if not done.cancelled():
            done.exception()  # Whoever waits gets it; a renewal that nobody awaits may fail.

    async def _ask(self) -> None:
        issuer = self.settings.issuer
        self._is_away = True
        try:
            async with asyncio.timeout(DEADLINE_S):
                found = await self._fetch(issuer.rstrip("/") + _DISCOVERY)
                metadata = read_metadata(found, self.settings)
                answer = await self._fetch(metadata.jwks_uri)
        except (ProviderAwayError, TimeoutError) as error:
            _log.warning("provider_away", reason=str(error) or type(error).__name__)
            raise ProviderAwayError(str(error)) from error
        keys = signing_keys(answer.json) if answer.status == 200 else ()
        if not keys:
            _log.warning("provider_away", reason="it shows no keys")
            raise ProviderAwayError("it shows no keys")
        self._is_away = False
        self._known = Known(metadata, keys, self._clock())


def read_metadata(answer: Answer, settings: ProviderSettings) -> Metadata:
    """The provider's metadata; ProviderAwayError when it is not of this issuer or not usable."""
    given = answer.json
    if answer.status != 200 or not isinstance(given, dict):
        raise ProviderAwayError(f"it answers {answer.status} where its metadata should be")
    # OpenID Connect Discovery 1.0 section 4.3: exactly the same, or it is somebody else's.
    if given.get("issuer") != settings.issuer:
        raise ProviderAwayError("its metadata is of another issuer")

    def address(name: str, *, is_needed: bool = True) -> str | None:
        url = given.get(name)
        if url is None and not is_needed:
            return None
        if not is_safe(url, allows_plain_http=settings.allows_plain_http):
            raise ProviderAwayError(f"its {name} is no https address")
        return str(url)

    return Metadata(
        issuer=settings.issuer,
        jwks_uri=str(address("jwks_uri")),
        authorization_endpoint=str(address("authorization_endpoint")),
        token_endpoint=str(address("token_endpoint")),
        userinfo_endpoint=address("userinfo_endpoint", is_needed=False),
        end_session_endpoint=address("end_session_endpoint", is_needed=False),
        client_authentication=_client_authentication(given, settings),
        names_itself=given.get("authorization_response_iss_parameter_supported") is True,
    )


def _client_authentication(
    given: Mapping[str, Any], settings: ProviderSettings
) -> ClientAuthentication:
    if settings.client_secret is None:
        return "none"
    offered = given.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if isinstance(offered, list) and "client_secret_basic" not in offered:
        return "client_secret_post"
    return "client_secret_basic"
