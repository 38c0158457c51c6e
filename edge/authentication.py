"""Who asks: the API key of a request, checked without telling why it was refused.

A malformed, unknown, expired or revoked key gets the same answer. Only a well-formed key of the
other environment gets another one, since that is a mistake worth naming.
"""

import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from edge import api_keys
from edge.caller import Caller
from edge.directory.directory import Directory
from edge.directory.records import ApiKey
from edge.errors import ProblemError
from edge.settings import Environment

_SCHEME: Final = "bearer "
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="amply"'}


class Authentication:
    """Finds the caller behind an API key; `note` is told of each use: of which, and whose."""

    def __init__(
        self,
        directory: Directory,
        hash_key: bytes,
        environment: Environment,
        note: Callable[[str, str], None] = lambda key, holder: None,
    ) -> None:
        self._directory = directory
        self._note = note
        self._hash_key = hash_key
        self._environment = environment

    async def caller_of(self, token: bytes) -> Caller:
        """Whose key it is; ProblemError 401."""
        environment = api_keys.environment_of(token)
        if environment is None:
            raise self.refusal()
        if environment != self._environment:
            raise ProblemError(
                "key_of_other_environment",
                f"This is the {self._environment} environment, the key is for {environment}.",
                headers=_CHALLENGE,
            )
        secret_hash = api_keys.secret_hash(self._hash_key, token)
        key = await self._directory.api_key(secret_hash)
        if key is None or not self._is_usable(key, secret_hash):
            raise self.refusal()
        self._note(key.id, key.organization)
        is_collector = key.organization.startswith("col_")
        return Caller(
            id=key.id,
            kind="api_key",
            subject=f"collector:{key.organization}" if is_collector else f"api_key:{key.id}",
            origins=key.origins,
            organization=key.organization,
            environment=key.environment,
            scopes=key.scopes,
        )

    @staticmethod
    def refusal() -> ProblemError:
        """The one answer to everything that is no good key."""
        return ProblemError("unauthenticated", headers=_CHALLENGE)

    def _is_usable(self, key: ApiKey, secret_hash: bytes) -> bool:
        return (
            hmac.compare_digest(key.secret_hash, secret_hash)
            and key.environment == self._environment
            and key.revoked_at is None
            and (key.expires_at is None or key.expires_at > datetime.now(UTC))
        )


def token_of(request: web.Request) -> bytes | None:
    """The bearer token; None when there is not exactly one (RFC 6750)."""
    values = request.headers.getall("Authorization", [])
    if len(values) != 1 or not values[0].lower().startswith(_SCHEME):
        return None
    # Header bytes that are no UTF-8 arrive as surrogates: bytes compare, whatever they are.
    return values[0][len(_SCHEME) :].strip().encode("utf-8", "surrogateescape")
