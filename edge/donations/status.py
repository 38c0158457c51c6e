"""What became of a gift, for whoever may see it."""

from dataclasses import dataclass
from typing import Any, Final

import orjson

from edge.authorization import Authorization, Question
from edge.caller import Caller
from edge.database.pool import Database
from edge.donations import store
from edge.donations.acceptance import ROUTE, Acceptance
from edge.donations.decisions import links_of
from edge.donations.models import SETTLED
from edge.errors import ProblemError
from edge.refunds import decisions as refunds
from edge.refunds import store as refund_store
from edge.times import spell_time
from edge.waiting import Waiters
from ledger import keys

_PURPOSE: Final = "client-secret"


@dataclass(frozen=True, slots=True)
class Seen:
    """A donation as the API shows it, and the organization whose it is."""

    organization: str
    resource: dict[str, Any]

    @property
    def status(self) -> str:
        """One of `models.Status`."""
        return str(self.resource["status"])


class Donations:
    """Finds donations: in the projection, and right after their POST among the requests."""

    def __init__(
        self,
        database: Database,
        acceptance: Acceptance,
        master_key: bytes,
        waiters: Waiters[str],
        authorization: Authorization,
        publishable_key: str | None = None,
    ) -> None:
        self._database = database
        self._acceptance = acceptance
        self._client_secret_key = keys.derive(master_key, _PURPOSE)
        self._waiters = waiters
        self._authorization = authorization
        self._publishable_key = publishable_key

    async def find(self, caller: Caller, donation: str, *, wait_s: float = 0) -> Seen:
        """The donation, settled or after `wait_s`; ProblemError 404 when the caller has none such.

        A key sees its organization's donations, and those that the organization's keys collected
        for others.
        """
        return await self._waiters.until(
            donation,
            lambda: self._look(caller, donation),
            lambda seen: seen.status in SETTLED,
            wait_s,
        )

    async def find_to_change(self, caller: Caller, donation: str) -> Seen:
        """The donation, for whoever would change something about it; ProblemError 403, 404.

        What somebody collected for others they see for good; they change it while they may collect.
        """
        seen = await self.find(caller, donation)
        if seen.organization != caller.organization:
            resource = f"organization:{seen.organization}"
            await self._authorization.require(
                Question(resource, "create_donation_by_api", caller.subject),
                ProblemError("permission_denied"),
                is_fresh=True,
            )
        return seen

    async def _look(self, caller: Caller, donation: str) -> Seen:
        async with self._database.transaction([caller.organization]) as connection:
            row = await store.find_donation(connection, caller.organization, donation)
            asked = await store.find_answers(connection, caller.organization, donation)
        has_asked = any(request["created_by"] == caller.id for request in asked)
        if caller.origins and not has_asked:  # Who reads the page's key knows no other gift.
            raise ProblemError("donation_not_found")
        stored = next((request for request in asked if request["route"] == ROUTE), None)
        answer = None
        if stored is not None:
            answer = orjson.loads(self._acceptance.open_answer(donation, stored["answer"]))
            # Not in what was answered before there were such.
            answer = {"attempt": 1, "campaign": None} | answer
            if row is None and answer["organization"] != caller.organization:
                row = await self._collected(answer["organization"], donation)
        if row is not None:
            resource = resource_of(row)
        elif answer is not None:
            resource = answer
        else:
            raise ProblemError("donation_not_found")
        if resource["status"] == "requires_action" and has_asked:
            resource["next_action"] = await self._next_action(resource["organization"], donation)
        return Seen(resource["organization"], resource | await self._aftermath(resource))

    async def _aftermath(self, resource: dict[str, Any]) -> dict[str, Any]:
        if resource["status"] not in refunds.PAID:
            return refunds.NOTHING
        organization, donation = resource["organization"], resource["id"]
        async with self._database.transaction([organization]) as connection:
            after = await refund_store.after(connection, organization, donation)
        return refunds.aftermath(resource["charge_amount_minor"], after)

    async def _collected(self, organization: str, donation: str) -> dict[str, Any] | None:
        async with self._database.transaction([organization]) as connection:
            return await store.find_donation(connection, organization, donation)

    async def _next_action(self, organization: str, donation: str) -> dict[str, Any] | None:
        async with self._database.transaction([organization]) as connection:
            row = await store.find_client_secret(connection, organization, donation)
        if row is None:
            return None
        secret = keys.decrypt(self._client_secret_key, row["ciphertext"], donation.encode())
        return {
            "type": "confirm_payment",
            "client_secret": secret.decode(),
            "publishable_key": self._publishable_key,
            "account": row["account"],
        }


def resource_of(row: dict[str, Any]) -> dict[str, Any]:
    """The resource that a row of `read.donations` makes."""
    failure = None
    if row["failure_code"] is not None:
        failure = {"code": row["failure_code"]} | {
            name: row[name] for name in ("decline_code", "minimum_minor", "minimum_currency")
        }
    entry = None
    if row["entry_id"] is not None:
        entry = {name: row[name] for name in ("log", "index", "seq")} | {"id": row["entry_id"]}
    copied = ("id", "status", "organization", "fund", "campaign", "amount_minor")
    return {
        **{name: row[name] for name in copied},
        "object": "donation",
        "charge_amount_minor": row["charge_amount_minor"],
        "currency": row["currency"],
        "covers_fee": row["covers_fee"],
        "attempt": row["attempt"],
        "payment_intent": row["payment_intent"],
        "failure": failure,
        "next_action": None,
        "entry": entry,
        "created_at": spell_time(row["created_at"]),
        "updated_at": spell_time(row["updated_at"]),
        "links": links_of(row["id"]),
    }
