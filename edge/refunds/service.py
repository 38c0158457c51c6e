"""Refunds at the edge: accepted once per Idempotency-Key, and what became of them."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from contracts.identifiers import parse_type_id, random_id, type_id
from contracts.message import Envelope
from contracts.refunds import RefundRequested
from edge.audit import writing as audit
from edge.authorization import Authorization, Question
from edge.caller import Caller
from edge.database.pool import Database
from edge.donations.status import Donations
from edge.errors import ProblemError
from edge.refunds import decisions, store
from edge.refunds.models import SETTLED, RefundRequest
from edge.times import spell_time
from edge.waiting import Waiters
from topics import failpoints, outbox
from topics.outbox import AnyConnection
from topics.registry import REFUNDS_REQUESTED

PERMISSION: Final = "issue_refund"
_SENDER: Final = "edge"


@dataclass(frozen=True, slots=True)
class Submission:
    """A request as it came: who asked, Idempotency-Key, fingerprint, gift, parsed body."""

    caller: Caller
    idempotency_key: str
    fingerprint: bytes
    donation: str
    body: RefundRequest


@dataclass(frozen=True, slots=True)
class Accepted:
    """The refund to answer with, and whether an earlier request had asked for it."""

    resource: dict[str, Any]
    is_replay: bool


class Refunds:
    """Refunds of the gifts that a key may see."""

    def __init__(
        self,
        database: Database,
        donations: Donations,
        authorization: Authorization,
        waiters: Waiters[str],
        is_backlogged: Callable[[], bool],
    ) -> None:
        self._database = database
        self._donations = donations
        self._authorization = authorization
        self._waiters = waiters
        self._is_backlogged = is_backlogged

    async def accept(self, submission: Submission) -> Accepted:
        """The accepted refund, durable; ProblemError when there is none."""
        caller = submission.caller
        async with self._database.transaction([caller.organization]) as connection:
            earlier = await self._earlier(connection, submission)
        if earlier is not None:
            return earlier
        if self._is_backlogged():
            raise ProblemError("backlog", headers={"Retry-After": "10"})
        gift = (await self._donations.find(caller, submission.donation)).resource
        organization = gift["organization"]
        await self._authorization.require(
            Question(f"organization:{organization}", PERMISSION, caller.subject),
            ProblemError("permission_denied", "You may not refund the organization's gifts."),
            is_fresh=True,
        )
        async with self._database.transaction([caller.organization, organization]) as connection:
            await store.lock(connection, submission.donation)
            earlier = await self._earlier(connection, submission)
            if earlier is not None:
                return earlier
            after = await store.after(connection, organization, submission.donation)
            decisions.check(
                gift["status"], gift["charge_amount_minor"], after, submission.body.amount_minor
            )
            resource = await _accept(connection, submission, organization, gift["currency"])
            failpoints.reach("edge.before_commit")
        failpoints.reach("edge.committed")
        return Accepted(resource, is_replay=False)

    async def _earlier(self, connection: AnyConnection, submission: Submission) -> Accepted | None:
        caller = submission.caller
        row = await store.find_request(
            connection, (submission.idempotency_key, caller.organization, caller.environment)
        )
        if row is None:
            return None
        if not hmac.compare_digest(row["fingerprint"], submission.fingerprint):
            raise ProblemError("idempotency_key_reused")
        return Accepted(requested(row), is_replay=True)

    async def find(self, caller: Caller, refund: str, *, wait_s: float = 0) -> dict[str, Any]:
        """The refund, settled or after `wait_s`; ProblemError 404 when the caller has none such."""
        return await self._waiters.until(
            refund,
            lambda: self._look(caller, refund),
            lambda resource: resource["status"] in SETTLED,
            wait_s,
        )

    async def _look(self, caller: Caller, refund: str) -> dict[str, Any]:
        async with self._database.transaction([caller.organization]) as connection:
            row = await store.find_refund(connection, caller.organization, refund)
            asked = await store.find_request_of(connection, refund)
        if row is None and asked is not None:
            async with self._database.transaction([asked["recipient"]]) as connection:
                row = await store.find_refund(connection, asked["recipient"], refund)
        if row is not None:
            return told(row)
        if asked is None:
            raise ProblemError("refund_not_found")
        return requested(asked)

    async def of_gift(self, caller: Caller, donation: str) -> list[dict[str, Any]]:
        """All refunds of a gift; ProblemError 404 when the caller has none such."""
        organization = (await self._donations.find(caller, donation)).organization
        async with self._database.transaction([organization]) as connection:
            rows = await store.list_refunds(connection, organization, donation)
            untold = await store.untold_requests(connection, organization, donation)
        return [told(row) for row in rows] + [requested(row) for row in untold]


async def _accept(
    connection: AnyConnection, submission: Submission, organization: str, currency: str
) -> dict[str, Any]:
    """Store the request and queue its message."""
    now = datetime.now(UTC)
    refund = type_id("rfd", random_id(now))
    caller, body = submission.caller, submission.body
    row = {
        "id": refund,
        "recipient": organization,
        "donation": submission.donation,
        "amount_minor": body.amount_minor,
        "currency": currency,
        "reason": body.reason,
        "created_at": now,
    }
    is_new = await store.accept(
        connection,
        (
            *(caller.organization, caller.environment, submission.idempotency_key),
            *(submission.fingerprint, refund, organization, submission.donation),
            *(body.amount_minor, currency, body.reason, caller.id, now),
        ),
    )
    if not is_new:  # Only by a request about another gift: those about this one wait for the lock.
        raise ProblemError("idempotency_key_reused")
    message = Envelope(
        id=parse_type_id("rfd", refund),
        type=REFUNDS_REQUESTED.name,
        time=now,
        organization=organization,
        cause=None,
        body=RefundRequested(
            refund=refund,
            donation=submission.donation,
            amount_minor=body.amount_minor,
            reason=body.reason,
            requested_by=caller.id,
        ),
    )
    asked = {"donation": submission.donation, **body.model_dump(mode="json")}
    await audit.write(connection, refund, organization=organization, after=asked)
    await outbox.queue(connection, [outbox.prepare(_SENDER, REFUNDS_REQUESTED, message)])
    return requested(row)


def requested(row: Mapping[str, Any]) -> dict[str, Any]:
    """The resource of a refund that nobody has told of yet."""
    untold = {"status": "pending", "code": None, "entry": None, "failure_entry": None}
    return _resource(
        dict(row) | untold | {"organization": row["recipient"], "updated_at": row["created_at"]}
    )


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """The resource that a row of `read.refunds` makes."""
    return _resource(row)


def _resource(row: Mapping[str, Any]) -> dict[str, Any]:
    copied = (
        *("id", "status", "organization", "donation", "amount_minor", "currency", "reason"),
        *("code", "entry", "failure_entry"),
    )
    return {
        **{name: row[name] for name in copied},
        "object": "refund",
        "created_at": spell_time(row["created_at"]),
        "updated_at": spell_time(row["updated_at"]),
        "links": {
            "self": f"/v1/refunds/{row['id']}",
            "donation": f"/v1/donations/{row['donation']}",
        },
    }
