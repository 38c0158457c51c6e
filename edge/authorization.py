"""Who may do what: SpiceDB decides, deny by default.

A decision serves for 5 seconds; a refusal for 1, and only after SpiceDB looked at its newest data,
so that a permission just given works at once. While SpiceDB is away a decision up to 60 seconds old
may still let a gift in; nothing else may use one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc
from authzed.api.v1 import (
    AsyncClient,
    CheckPermissionRequest,
    CheckPermissionResponse,
    Consistency,
    ObjectReference,
    SubjectReference,
)

from edge.errors import ProblemError
from topics.connections.spicedb import credentials

ALLOWED_S_MAX: Final = 5.0
#: From this age on it is renewed in the background, so that a busy key never waits for SpiceDB.
RENEW_FROM_S: Final = 2.5
DENIED_S_MAX: Final = 1.0
STALE_S_MAX: Final = 60.0
DEADLINE_S: Final = 2.0
_DECISIONS_MAX: Final = 10_000
_RETRY_AFTER: Final = {"Retry-After": "2"}


@dataclass(frozen=True, slots=True)
class Question:
    """May `subject` (`api_key:key_…`) do `permission` on `resource` (`organization:org_…`)?"""

    resource: str
    permission: str
    subject: str


Ask = Callable[[Question, bool], Awaitable[bool]]


class UnreachableError(Exception):
    """SpiceDB gave no answer in time."""


class Authorization:
    """Decisions with a short memory; at most one question of a kind is under way."""

    def __init__(self, ask: Ask, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._decisions: dict[Question, tuple[bool, float]] = {}
        self._asking: dict[Question, asyncio.Task[bool]] = {}

    async def require(
        self,
        question: Question,
        refusal: ProblemError,
        *,
        may_be_stale: bool = False,
        is_fresh: bool = False,
    ) -> None:
        """Return when it is allowed; raise `refusal`, or ProblemError 503 when nobody knows."""
        if not await self.is_allowed(question, may_be_stale=may_be_stale, is_fresh=is_fresh):
            raise refusal

    async def is_allowed(
        self, question: Question, *, may_be_stale: bool = False, is_fresh: bool = False
    ) -> bool:
        """The decision; ProblemError 503 while SpiceDB is away and none is remembered.

        `is_fresh`: SpiceDB is asked now, for its newest data.
        """
        if is_fresh:
            try:
                return await self._ask(question, True)
            except UnreachableError as error:
                raise ProblemError("permissions_unavailable", headers=_RETRY_AFTER) from error
        known = self._decisions.get(question)
        if known is not None:
            allowed, decided_at = known
            age_s = self._clock() - decided_at
            if age_s < (ALLOWED_S_MAX if allowed else DENIED_S_MAX):
                if allowed and age_s > RENEW_FROM_S:
                    _ = self._renew(question)  # Nobody waits for it.
                return allowed
        try:
            return await self._decide(question)
        except UnreachableError as error:
            allowed, decided_at = known or (False, 0.0)
            if may_be_stale and allowed and self._clock() - decided_at < STALE_S_MAX:
                return True
            raise ProblemError("permissions_unavailable", headers=_RETRY_AFTER) from error

    async def _decide(self, question: Question) -> bool:
        return await asyncio.shield(self._renew(question))

    def _renew(self, question: Question) -> asyncio.Task[bool]:
        task = self._asking.get(question)
        if task is None:
            task = asyncio.create_task(self._ask_and_remember(question))
            self._asking[question] = task
            task.add_done_callback(lambda done: self._settle(question, done))
        return task

    def _settle(self, question: Question, done: asyncio.Task[bool]) -> None:
        del self._asking[question]
        if not done.cancelled():
            done.exception()  # Whoever waits gets it; a renewal that nobody awaits may fail.

    async def _ask_and_remember(self, question: Question) -> bool:
        asked_at = self._clock()
        allowed = await self._ask(question, False) or await self._ask(question, True)
        if len(self._decisions) >= _DECISIONS_MAX:
            self._decisions.clear()
        self._decisions[question] = (allowed, asked_at)
        return allowed


class SpiceDB:
    """The client of one SpiceDB. Make it in the running loop."""

    def __init__(self, address: str, token: str) -> None:
        self._client: Any = AsyncClient(*credentials(address, token))

    async def ask(self, question: Question, is_fresh: bool) -> bool:
        """One check; `is_fresh` reads the newest data instead of a snapshot some seconds old."""
        request = CheckPermissionRequest(
            resource=_object(question.resource),
            permission=question.permission,
            subject=SubjectReference(object=_object(question.subject)),
            consistency=(
                Consistency(fully_consistent=True)
                if is_fresh
                else Consistency(minimize_latency=True)
            ),
        )
        try:
            response = await self._client.CheckPermission(request, timeout=DEADLINE_S)
        except grpc.RpcError as error:
            raise UnreachableError(str(error.code())) from error
        return bool(
            response.permissionship == CheckPermissionResponse.PERMISSIONSHIP_HAS_PERMISSION
        )


def _object(text: str) -> ObjectReference:
    kind, _, identifier = text.partition(":")
    return ObjectReference(object_type=kind, object_id=identifier)
