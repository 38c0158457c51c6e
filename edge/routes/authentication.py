"""`/v1/auth/...` and `/v1/me/...`: people sign in, see their sessions, and leave."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from edge.caller import caller_of
from edge.errors import ProblemError
from edge.http import json_response, refuse_query
from edge.people.own import OwnRights
from edge.sessions.cookies import Cookies
from edge.sessions.decisions import RETURN_DEFAULT, is_local_path
from edge.sessions.models import StoredSession
from edge.sessions.service import Sessions
from edge.times import spell_time

Row = tuple[str, str, Callable[[web.Request], Any]]

_OWN: Final = {"Cache-Control": "no-store", "Vary": "Authorization, Cookie"}


class AuthenticationRoutes:
    """Handlers. Without a provider of identities nobody signs in, so `sessions` is None."""

    def __init__(self, sessions: Sessions | None, own: OwnRights, cookies: Cookies) -> None:
        self._given = sessions
        self._own = own
        self._cookies = cookies

    def table(self) -> tuple[Row, ...]:
        """Method, path, handler."""
        return (
            ("GET", "/v1/auth/login", self.login),
            ("GET", "/v1/auth/callback", self.callback),
            ("POST", "/v1/auth/logout", self.logout),
            ("GET", "/v1/me", self.me),
            ("DELETE", "/v1/me", self.forget),
            ("GET", "/v1/me/sessions", self.list),
            ("DELETE", "/v1/me/sessions", self.revoke_all),
            ("DELETE", "/v1/me/sessions/{session}", self.revoke),
        )

    async def login(self, request: web.Request) -> web.Response:
        """303 to the provider."""
        sessions = self._sessions()
        refuse_query(request, "return_to", "step_up")
        return_to = request.query.get("return_to", RETURN_DEFAULT)
        if not is_local_path(return_to):
            raise _unacceptable("return_to", "a path on this host, such as `/v1/me`")
        step_up = request.query.get("step_up", "0")
        if step_up not in ("0", "1"):
            raise _unacceptable("step_up", "`0` or `1`")
        url, sealed = await sessions.begin(return_to, is_step_up=step_up == "1")
        response = _redirect(url)
        self._cookies.set_login(response, sealed)
        return response

    async def callback(self, request: web.Request) -> web.Response:
        """303 to where the login was to return to, with a session."""
        signed_in = await self._sessions().finish(
            request.query,
            self._cookies.login(request),
            request.headers.get("User-Agent", ""),
            self._cookies.session(request),
        )
        response = _redirect(signed_in.return_to)
        self._cookies.drop_login(response)
        self._cookies.set_session(response, signed_in.secret)
        return response

    async def logout(self, request: web.Request) -> web.Response:
        """This session ends, and the browser forgets it."""
        refuse_query(request)
        caller, sessions = caller_of(request), self._sessions()
        if caller.session is not None:
            await sessions.revoke(caller.id, caller.session)
        shown = {"object": "signed_out", "provider_url": await sessions.provider_logout()}
        response = json_response(shown, headers=_OWN)
        self._cookies.drop_session(response)
        return response

    async def me(self, request: web.Request) -> web.Response:
        """The person who asks, and all that is kept of them."""
        refuse_query(request)
        shown = await self._own.shown(caller_of(request))
        sessions = [] if self._given is None else (await self._listed(request))["data"]
        return json_response(spelled({**shown, "sessions": sessions}), headers=_OWN)

    async def forget(self, request: web.Request) -> web.Response:
        """202: the person is forgotten within seconds, and signed in nowhere from now on."""
        refuse_query(request)
        value = await self._own.forget(caller_of(request))
        response = json_response(value, status=202, headers=_OWN)
        self._cookies.drop_session(response)
        return response

    async def list(self, request: web.Request) -> web.Response:
        """The person's sessions."""
        refuse_query(request)
        return json_response(await self._listed(request), headers=_OWN)

    async def revoke_all(self, request: web.Request) -> web.Response:
        """All of them end."""
        refuse_query(request)
        await self._sessions().revoke(caller_of(request).id)
        response = json_response(await self._listed(request), headers=_OWN)
        self._cookies.drop_session(response)
        return response

    async def revoke(self, request: web.Request) -> web.Response:
        """One of them ends."""
        refuse_query(request)
        caller, wanted = caller_of(request), request.match_info["session"]
        if not await self._sessions().revoke(caller.id, wanted):
            raise ProblemError("session_not_found")
        listed = await self._listed(request)
        [shown] = [one for one in listed["data"] if one["id"] == wanted]
        response = json_response(shown, headers=_OWN)
        if wanted == caller.session:
            self._cookies.drop_session(response)
        return response

    async def _listed(self, request: web.Request) -> dict[str, Any]:
        caller = caller_of(request)
        found = await self._sessions().of_person(caller.id)
        data = [_shown(session, agent, caller.session) for session, agent in found]
        return {"object": "list", "data": data}

    def _sessions(self) -> Sessions:
        if self._given is None:
            raise ProblemError("sign_in_not_offered")
        return self._given


def spelled(value: Any) -> Any:
    """The value with its times as the API spells them."""
    if isinstance(value, datetime):
        return spell_time(value)
    if isinstance(value, dict):
        return {name: spelled(one) for name, one in value.items()}
    return [spelled(one) for one in value] if isinstance(value, list) else value


def _shown(session: StoredSession, agent: str | None, current: str | None) -> dict[str, Any]:
    at, revoked_at = session.authenticated_at, session.revoked_at
    return {
        "id": session.id,
        "object": "session",
        "is_current": session.id == current,
        "is_strong": session.is_strong,
        "agent": agent,
        "created_at": spell_time(session.created_at),
        "authenticated_at": spell_time(at) if at is not None else None,
        "last_seen_at": spell_time(session.seen_at),
        "expires_at": spell_time(session.expires_at),
        "revoked_at": spell_time(revoked_at) if revoked_at is not None else None,
    }


def _redirect(url: str) -> web.Response:
    return web.Response(status=303, headers={"Location": url, "Cache-Control": "no-store"})


def _unacceptable(name: str, wanted: str) -> ProblemError:
    return ProblemError("query_not_accepted", f"`{name}` must be {wanted}.", param=name)
