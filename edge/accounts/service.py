"""Asking for what must be done at Stripe, and waiting for it: the edge has no key of Stripe's.

A request is durable before it is answered, as a gift is: one transaction stores it under its
Idempotency-Key and queues the command. What comes of it is read from the accounts worker's table.
"""

from datetime import UTC, datetime
from typing import Any, Final

from contracts.accounts import AccountAction, AccountRequested
from contracts.identifiers import random_id, type_id
from contracts.message import Envelope
from edge import resources
from edge.accounts import decisions, store
from edge.audit import writing as audit
from edge.authorization import Authorization
from edge.caller import Caller
from edge.database.pool import Database
from edge.directory.directory import Directory
from edge.directory.records import Organization
from edge.errors import ProblemError
from edge.resources import Command
from edge.times import spell_time
from edge.waiting import Waiters
from ledger import keys
from topics import outbox
from topics.codec import Record
from topics.registry import ACCOUNTS_REQUESTED

_SENDER: Final = "edge"
#: The purpose of the key under which the accounts worker encrypts links.
_LINK: Final = "account-link"


class AccountService:
    """Requests about accounts, and the accounts themselves."""

    def __init__(
        self,
        database: Database,
        directory: Directory,
        authorization: Authorization,
        waiters: Waiters[str],
        master_key: bytes,
    ) -> None:
        self._database = database
        self._directory = directory
        self._authorization = authorization
        self._waiters = waiters
        self._link_key = keys.derive(master_key, _LINK)

    async def submit(
        self,
        organization: Organization,
        command: Command[Any],
        action: AccountAction,
        country: str | None = None,
    ) -> tuple[str, bool]:
        """The request's id, and whether it was made before; ProblemError 422 for another one."""
        request, record = _command(organization.id, action, country=country)
        asked = {"action": action, "country": country}
        scope = {command.tenant, organization.id}
        async with self._database.transaction(sorted(scope)) as connection:
            earlier = await resources.claim(connection, command, request)
            if earlier is not None:
                return earlier, True
            await audit.write(connection, request, organization=organization.id, after=asked)
            await outbox.queue(connection, [record])
            return request, False

    async def command(
        self, organization: str, action: AccountAction, account: str | None = None
    ) -> str:
        """Ask for something in nobody's name but that of a token's holder; the request's id."""
        request, record = _command(organization, action, account=account)
        async with self._database.transaction([organization]) as connection:
            await outbox.queue(connection, [record])
        return request

    async def outcome(
        self, organization: str, request: str, wait_s: float
    ) -> dict[str, Any] | None:
        """What came of a request by now, or within `wait_s`; None while it is pending."""
        return await self._waiters.until(
            request,
            lambda: self._outcome(organization, request),
            lambda found: found is not None,
            wait_s,
        )

    async def asked(self, caller: Caller, organization: str, request: str) -> dict[str, Any]:
        """A request of the caller's organization; ProblemError 404 when there is none such.

        A link is for whoever asked for it: other keys see that there is one.
        """
        found = await self._outcome(organization, request)
        async with self._database.transaction([caller.organization]) as connection:
            creator = await store.asked_by(connection, caller.organization, request)
        if creator is None:
            raise ProblemError("request_not_found")
        shown = found or pending(request)
        return shown if creator == caller.id else {**shown, "url": None}

    async def accounts(self, organization: str, wait_s: float = 0) -> dict[str, Any]:
        """The organization's accounts; with `wait_s` once the current one is active."""
        return await self._waiters.until(
            organization,
            lambda: self._accounts(organization),
            lambda found: found["state"] == "active",
            wait_s,
        )

    async def _accounts(self, organization: str) -> dict[str, Any]:
        async with self._database.transaction([organization]) as connection:
            rows = await store.accounts(connection, organization)
        return decisions.resource_of(organization, [dict(row) for row in rows])

    async def _outcome(self, organization: str, request: str) -> dict[str, Any] | None:
        async with self._database.transaction([organization]) as connection:
            row = await store.outcome(connection, organization, request)
        if row is None:
            return None
        url = None
        if row["url"] is not None:
            url = keys.decrypt(self._link_key, row["url"], request.encode()).decode()
        return {
            **pending(request),
            "status": row["outcome"],
            "code": row["code"],
            "account": row["account"],
            "url": url,
            "expires_at": spell_time(row["expires_at"]) if row["expires_at"] else None,
        }


def pending(request: str) -> dict[str, Any]:
    """A request that nothing came of yet."""
    empty = dict.fromkeys(("code", "account", "url", "expires_at"))
    return {"id": request, "object": "account_request", "status": "pending", **empty}


def refusal_of(outcome: dict[str, Any]) -> ProblemError:
    """The problem that a refused request is answered with."""
    refusals = {
        "account_exists": ProblemError("account_exists"),
        "account_missing": ProblemError("account_missing"),
        "account_unavailable": ProblemError("account_unavailable"),
        "country_not_supported": ProblemError("country_not_supported", param="country"),
        "request_expired": ProblemError("unavailable", headers={"Retry-After": "5"}),
    }
    return refusals.get(outcome["code"]) or ProblemError("stripe_refused")


def _command(
    organization: str,
    action: AccountAction,
    *,
    country: str | None = None,
    account: str | None = None,
) -> tuple[str, Record]:
    now = datetime.now(UTC)
    identifier = random_id(now)
    request = type_id("areq", identifier)
    body = AccountRequested(request=request, action=action, country=country, account=account)
    message = Envelope(
        id=identifier,
        type=ACCOUNTS_REQUESTED.name,
        time=now,
        organization=organization,
        cause=None,
        body=body,
    )
    return request, outbox.prepare(_SENDER, ACCOUNTS_REQUESTED, message)
