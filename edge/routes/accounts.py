"""`/v1/organizations/{organization}/stripe-account`: an organization's account at Stripe."""

import re
from dataclasses import replace
from typing import Any, Final

from aiohttp import web

from contracts.accounts import AccountAction
from edge.accounts.models import AccountCreation, LinkCreation
from edge.accounts.service import AccountService, pending, refusal_of
from edge.caller import ORGANIZATION, caller_of
from edge.errors import ProblemError
from edge.http import (
    SUBJECTS,
    json_response,
    refuse_query,
    tagged,
    wait_preferred,
)
from edge.organizations.models import Nothing
from edge.resources import Command, Model, read_command

READ: Final = "accounts:read"
WRITE: Final = "accounts:write"
BODY_BYTES_MAX: Final = 4096
_REQUEST: Final = re.compile(r"areq_[0-7][0-9a-hjkmnp-tv-z]{25}")
_OWN: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Prefer"}


class AccountRoutes:
    """Handlers, behind the gate."""

    def __init__(self, service: AccountService, fingerprint_key: bytes) -> None:
        self._service = service
        self._fingerprint_key = fingerprint_key

    async def create(self, request: web.Request) -> web.Response:
        """201 with the account that was made, 202 while Stripe has not answered."""
        command = await self._command(request, AccountCreation)
        action: AccountAction = "replace" if command.body.replace else "create"
        return await self._submit(request, command, action, command.body.country)

    async def link(self, request: web.Request) -> web.Response:
        """201 with a fresh link, 202 while Stripe has not answered."""
        command = await self._command(request, LinkCreation)
        action: AccountAction = "update" if command.body.type == "update" else "onboard"
        return await self._submit(request, command, action)

    async def retire(self, request: web.Request) -> web.Response:
        """200 once the account is out of use: no new gifts go to it."""
        command = await self._command(request, Nothing)
        return await self._submit(request, command, "retire")

    async def show(self, request: web.Request) -> web.Response:
        """The account; with `Prefer: wait=N` as soon as it is active."""
        refuse_query(request)
        wait_s = wait_preferred(request)
        shown = await self._service.accounts(request[ORGANIZATION].id, wait_s or 0)
        return tagged(request, json_response(shown, headers=_headers(wait_s)))

    async def show_request(self, request: web.Request) -> web.Response:
        """What came of a request that was answered 202."""
        refuse_query(request)
        identifier = request.match_info["request"]
        if not _REQUEST.fullmatch(identifier):
            raise ProblemError("request_not_found")
        wait_s = wait_preferred(request)
        organization = request[ORGANIZATION].id
        await self._service.outcome(organization, identifier, wait_s or 0)
        shown = await self._service.asked(caller_of(request), organization, identifier)
        return json_response(shown, headers=_headers(wait_s) | {"Cache-Control": "no-store"})

    async def _command(self, request: web.Request, model: type[Model]) -> Command[Model]:
        """Of the organization, whoever asks for it: all of its people and keys see what comes."""
        caller = caller_of(request)
        command = await read_command(request, model, caller, self._fingerprint_key, BODY_BYTES_MAX)
        return replace(command, tenant=caller.organization)

    async def _submit(
        self,
        request: web.Request,
        command: Command[Any],
        action: AccountAction,
        country: str | None = None,
    ) -> web.Response:
        organization = request[ORGANIZATION]
        identifier, is_replay = await self._service.submit(organization, command, action, country)
        request[SUBJECTS] = {"account_request": identifier}
        wait_s = wait_preferred(request)
        outcome = await self._service.outcome(organization.id, identifier, wait_s or 0)
        if outcome is not None and outcome["status"] == "refused":
            raise refusal_of(outcome)
        place = f"/v1/organizations/{organization.slug}/stripe-account/requests/{identifier}"
        headers = {"Location": place, "Vary": "Authorization, Prefer"}
        if wait_s is not None:
            headers["Preference-Applied"] = f"wait={wait_s}"
        if is_replay:
            headers["Idempotent-Replayed"] = "true"
        done = 200 if request.method == "DELETE" else 201
        status = 202 if outcome is None else done
        return json_response(outcome or pending(identifier), status=status, headers=headers)


def _headers(wait_s: int | None) -> dict[str, str]:
    return _OWN if wait_s is None else {**_OWN, "Preference-Applied": f"wait={wait_s}"}
