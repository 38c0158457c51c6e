"""`/v1/connect/...`: where Stripe sends a person back to, whose only key is a signed token."""

from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from contracts import connect
from contracts.connect import ConnectToken
from edge.accounts.decisions import SUMMARIES
from edge.accounts.models import State
from edge.accounts.service import AccountService, refusal_of
from edge.errors import ProblemError
from edge.http import json_response, refuse_query

WAIT_S: Final = 10.0
_BACK: Final = "You are back from Stripe. "


class ConnectRoutes:
    """Handlers; answers are plain text, or JSON for who asks for it."""

    def __init__(self, service: AccountService, token_key: bytes) -> None:
        self._service = service
        self._token_key = token_key

    async def back(self, request: web.Request) -> web.Response:
        """What Stripe says now of the account that the form was about."""
        token = self._token(request)
        account = await self._account(token)
        if account is not None and not _is_over(token):
            look = await self._service.command(token.organization, "look", account["id"])
            await self._service.outcome(token.organization, look, WAIT_S)
            account = await self._account(token)
        state: State = "none" if account is None else account["state"]
        due = [] if account is None else account["due"]
        if "application/json" in request.headers.get("Accept", ""):
            shown = {"state": state, "summary": SUMMARIES[state], "due": due}
            return json_response(shown)
        lines = [_BACK + SUMMARIES[state], *(f"- {one['description']}" for one in due)]
        return web.Response(
            text="\n".join(dict.fromkeys(lines)) + "\n", headers={"Cache-Control": "no-store"}
        )

    async def _account(self, token: ConnectToken) -> dict[str, Any] | None:
        shown = await self._service.accounts(token.organization)
        account: dict[str, Any] | None = shown["next_account"] or shown["account"]
        return account

    async def refresh(self, request: web.Request) -> web.Response:
        """303 to a fresh link to the same form; ProblemError 410 when the token is too old."""
        token = self._token(request)
        if _is_over(token):
            raise ProblemError("link_expired")
        made = await self._service.command(token.organization, token.action)
        outcome = await self._service.outcome(token.organization, made, WAIT_S)
        if outcome is None:
            raise ProblemError("unavailable", headers={"Retry-After": "5"})
        if outcome["url"] is None:
            raise refusal_of(outcome)
        headers = {"Location": outcome["url"], "Cache-Control": "no-store"}
        return web.Response(status=303, headers=headers)

    def _token(self, request: web.Request) -> ConnectToken:
        refuse_query(request, "token")
        token = connect.read_token(self._token_key, request.query.get("token", ""))
        if token is None:
            raise ProblemError("not_found")
        return token


def _is_over(token: ConnectToken) -> bool:
    return token.expires_at <= datetime.now(UTC)
