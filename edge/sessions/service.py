"""Logins begun and finished, and the sessions of a person."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
import structlog

from contracts.identifiers import random_id, type_id
from edge.audit import asking
from edge.audit import writing as audit
from edge.audit.asking import Asking, Somebody
from edge.database.pool import Database
from edge.errors import ProblemError
from edge.people.models import Person, Profile
from edge.people.service import Persons
from edge.people.store import set_scope
from edge.sessions import decisions, store
from edge.sessions.models import Login, StoredSession
from edge.tokens.exchange import Exchange
from edge.tokens.models import Identity, ProviderAwayError, TokenRefusedError
from edge.tokens.provider import Provider
from ledger import keys

_HASHING: Final = "session-secret"
_SEALING: Final = "login-under-way"
_AGENT_MAX: Final = 200
_SHOWN_MAX: Final = 100
_CODE_MAX: Final = 2_048
_SIGN_IN: Final = "signIn"
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session: its secret is for the browser alone, which goes on to `return_to`."""

    secret: str
    return_to: str
    person: str


def away() -> ProblemError:
    """The provider of identities does not answer."""
    return ProblemError("identity_provider_unavailable", headers={"Retry-After": "10"})


class Sessions:
    """Sign-ins by authorization code with PKCE, and what they leave behind."""

    def __init__(
        self,
        database: Database,
        persons: Persons,
        provider: Provider,
        exchange: Exchange,
        *,
        master_key: bytes,
        url: str,
        step_up_age_max: timedelta,
    ) -> None:
        self._database = database
        self._persons = persons
        self._provider = provider
        self._exchange = exchange
        self._secret_key = keys.derive(master_key, _HASHING)
        self._login_key = keys.derive(master_key, _SEALING)
        self._url = url
        self._redirect = url + decisions.CALLBACK
        self._step_up_age_max = step_up_age_max

    async def begin(self, return_to: str, *, is_step_up: bool) -> tuple[str, str]:
        """Where the browser signs in, and the sealed login that it keeps meanwhile."""
        login = Login(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            return_to=return_to,
            is_step_up=is_step_up,
            begun_at=datetime.now(UTC),
        )
        try:
            metadata = await self._provider.metadata()
        except ProviderAwayError as error:
            raise away() from error
        url = decisions.authorization_url(
            metadata,
            self._provider.settings,
            login,
            redirect=self._redirect,
            step_up_age_max=self._step_up_age_max,
        )
        return url, self._seal(login)

    async def finish(
        self, query: Mapping[str, str], sealed: str | None, agent: str, old_secret: str | None
    ) -> SignedIn:
        """The session of whoever comes back. A session that the browser had before ends."""
        login = self._open(sealed)
        now = datetime.now(UTC)
        try:
            metadata = await self._provider.metadata()
            if login is None or not decisions.is_answer_to(login, query, metadata, now):
                raise ProblemError("login_expired")
            code = query.get("code", "")
            if "error" in query or not 0 < len(code) <= _CODE_MAX:
                raise ProblemError("login_refused")
            who = await self._exchange.identity(
                code, verifier=login.verifier, nonce=login.nonce, redirect=self._redirect
            )
        except ProviderAwayError as error:
            raise away() from error
        except TokenRefusedError as error:
            _log.warning("login_refused", reason=str(error))
            raise ProblemError("login_refused") from error
        is_strong = who.authenticated.is_strong(self._provider.settings.step_up)
        if login.is_step_up and not (is_strong and self._is_recent(who, now)):
            raise ProblemError("step_up_not_given")
        person = await self._person(who)
        secret = await self._add(person, who, agent, old_secret, now)
        return SignedIn(secret, login.return_to, person.id)

    async def find(self, secret: str) -> StoredSession | None:
        """The living session with this secret; it counts as used now."""
        if not decisions.looks_like_secret(secret):
            return None
        now = datetime.now(UTC)
        async with self._database.connection() as connection:
            session = await store.by_secret(connection, self._hash(secret))
            if session is None or not decisions.is_alive(session, now):
                return None
            if now - session.seen_at > decisions.SEEN_EVERY:
                async with connection.transaction():
                    await set_scope(connection, session.person)
                    await store.see(connection, session.id, now)
        return session

    async def of_person(self, person: str) -> list[tuple[StoredSession, str | None]]:
        """The person's newest sessions, ended ones too, each with its browser's name."""
        async with self._database.connection() as connection:
            found = await store.of_person(connection, person, _SHOWN_MAX)
        known = await self._persons.find(person)
        return [(session, self._agent(known, session)) for session in found]

    async def revoke(self, person: str, session: str | None = None) -> list[str]:
        """End one session of the person, or all: at once. The ids of those that were theirs."""
        async with self._database.transaction([]) as connection:
            await set_scope(connection, person)
            ended = await store.revoke(connection, person, session, datetime.now(UTC))
            for one in ended:
                await audit.write(connection, one)
            asking.current().has_written = True  # Nothing was theirs: nothing was written.
            return ended

    async def provider_logout(self) -> str | None:
        """Where the person can leave the provider too; None where it has no such page."""
        try:
            metadata = await self._provider.metadata()
        except ProviderAwayError:
            return None
        return decisions.logout_url(metadata, self._provider.settings, self._url + "/")

    async def _person(self, who: Identity) -> Person:
        person = await self._persons.known(who.issuer, who.subject)
        known = self._persons.profile(person)
        # What the provider leaves out this time, such as while UserInfo is away, stays.
        said = Profile(who.name or known.name, who.email or known.email)
        await self._persons.describe(person, said)
        return person

    async def _add(
        self, person: Person, who: Identity, agent: str, old_secret: str | None, now: datetime
    ) -> str:
        secret = secrets.token_urlsafe(32)
        shown = agent.encode("utf-8", "replace").decode()[:_AGENT_MAX]
        session = StoredSession(
            id=type_id("ses", random_id(now)),
            person=person.id,
            authenticated_at=who.authenticated.at,
            is_strong=who.authenticated.is_strong(self._provider.settings.step_up),
            agent=self._persons.seal(person, shown.encode()) if shown else None,
            created_at=now,
            seen_at=now,
            expires_at=now + decisions.AGE_MAX,
            revoked_at=None,
        )
        old = await self.find(old_secret) if old_secret else None
        if old is not None:
            await self.revoke(old.person, old.id)
        async with self._database.transaction([]) as connection:
            await set_scope(connection, person.id)
            await store.tidy(
                connection, person.id, now - decisions.KEPT_AFTER_END, decisions.IDLE_MAX
            )
            await store.add(connection, session, self._hash(secret))
            with asking.asking(Asking(Somebody("person", person.id), _SIGN_IN)):
                await audit.write(connection, session.id)
        return secret

    def _agent(self, person: Person | None, session: StoredSession) -> str | None:
        if person is None or session.agent is None:
            return None
        return self._persons.open(person, session.agent).decode()

    def _is_recent(self, who: Identity, now: datetime) -> bool:
        at = who.authenticated.at
        return at is not None and now - at <= self._step_up_age_max

    def _hash(self, secret: str) -> bytes:
        return hmac.digest(self._secret_key, secret.encode(), hashlib.sha256)

    def _seal(self, login: Login) -> str:
        plain = orjson.dumps(login)
        sealed = keys.encrypt(self._login_key, plain, _SEALING.encode())
        return base64.urlsafe_b64encode(sealed).decode()

    def _open(self, sealed: str | None) -> Login | None:
        if sealed is None:
            return None
        try:
            raw = base64.urlsafe_b64decode(sealed)
            plain = keys.decrypt(self._login_key, raw, _SEALING.encode())
        except (binascii.Error, ValueError):
            return None
        said: dict[str, Any] = orjson.loads(plain)
        return Login(**{**said, "begun_at": datetime.fromisoformat(said["begun_at"])})
