"""Who may do what: SpiceDB decides, deny by default.

A decision serves for 2 seconds, a refusal for 1, and neither after a change of the organization's
relationships was heard: then SpiceDB must have seen that change. Where money or rights move no
decision is remembered at all. While SpiceDB is away a decision up to 60 seconds old may still let a
gift in; nothing else may use one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from edge.errors import ProblemError
from edge.spicedb import NEWEST, AsOf, Question, UnreachableError

__all__ = ["Authorization", "Question"]

ALLOWED_S_MAX: Final = 2.0
#: From this age on it is renewed in the background, so that a busy key never waits for SpiceDB.
RENEW_FROM_S: Final = 1.0
DENIED_S_MAX: Final = 1.0
STALE_S_MAX: Final = 60.0
_DECISIONS_MAX: Final = 10_000
_RETRY_AFTER: Final = {"Retry-After": "2"}
#: What is no organization itself is about any of them.
_ELSEWHERE: Final = ""


class Asker(Protocol):
    """What `SpiceDB` answers."""

    async def ask(self, question: Question, as_of: AsOf) -> bool:
        """One check."""
        ...

    async def ask_many(self, questions: Sequence[Question], as_of: AsOf) -> list[bool]:
        """Many, in their order."""
        ...


class Word(Protocol):
    """What can take back a yes of SpiceDB's."""

    async def stands(self, question: Question) -> bool:
        """Whether the yes to a question stands; ProblemError 503 while nobody can tell."""
        ...


@dataclass(frozen=True, slots=True)
class _Decision:
    is_allowed: bool
    decided_at: float
    changes: int


class Authorization:
    """Decisions with a short memory; at most one question of a kind is under way.

    `token_of` is the ZedToken of an organization's newest relationships, as far as it is known.
    `word` is asked after each yes, a remembered one too.
    """

    def __init__(
        self,
        spicedb: Asker,
        clock: Callable[[], float],
        token_of: Callable[[str], Awaitable[str | None]],
        word: Word | None = None,
    ) -> None:
        self._spicedb = spicedb
        self._word = word
        self._clock = clock
        self._token_of = token_of
        self._decisions: dict[Question, _Decision] = {}
        self._changes: dict[str, int] = {}
        self._asking: dict[tuple[Question, int], asyncio.Task[bool]] = {}

    def forget(self, organization: str) -> None:
        """The organization's relationships changed: what was decided before counts no more."""
        for about in (f"organization:{organization}", _ELSEWHERE):
            self._changes[about] = self._changes.get(about, 0) + 1

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
        if not await self._is_allowed(question, may_be_stale=may_be_stale, is_fresh=is_fresh):
            return False
        return self._word is None or await self._word.stands(question)

    async def _is_allowed(self, question: Question, *, may_be_stale: bool, is_fresh: bool) -> bool:
        if is_fresh:
            try:
                return await self._spicedb.ask(question, NEWEST)
            except UnreachableError as error:
                raise _unavailable() from error
        known = self._known(question)
        if known is not None and self._serves(known):
            if known.is_allowed and self._clock() - known.decided_at > RENEW_FROM_S:
                _ = self._renew(question)  # Nobody waits for it.
            return known.is_allowed
        try:
            return await asyncio.shield(self._renew(question))
        except UnreachableError as error:
            if may_be_stale and known is not None and known.is_allowed:
                age_s = self._clock() - known.decided_at
                if age_s < STALE_S_MAX:
                    return True
            raise _unavailable() from error

    async def are_allowed(self, questions: Sequence[Question]) -> list[bool]:
        """The decisions, asked for together; ProblemError 503 while SpiceDB is away."""
        decided: dict[Question, bool] = {}
        for question in questions:
            known = self._known(question)
            if known is not None and self._serves(known):
                decided[question] = known.is_allowed
        by_subject: dict[str, list[Question]] = {}
        for question in dict.fromkeys(questions):
            if question not in decided:
                by_subject.setdefault(_about(question), []).append(question)
        try:
            for about, unknown in by_subject.items():
                decided |= await self._decide_together(about, unknown)
        except UnreachableError as error:
            raise _unavailable() from error
        return [
            decided[question] and (self._word is None or await self._word.stands(question))
            for question in questions
        ]

    async def as_of(self, resource: str) -> AsOf:
        """How new data must be to show all that was heard about the resource."""
        organization = resource.removeprefix("organization:")
        return AsOf(await self._token_of(organization if organization != resource else _ELSEWHERE))

    async def _decide_together(self, about: str, unknown: list[Question]) -> dict[Question, bool]:
        asked_at, changes = self._clock(), self._changes.get(about, 0)
        said = await self._spicedb.ask_many(unknown, await self.as_of(unknown[0].resource))
        decided = dict(zip(unknown, said, strict=True))
        refused = [question for question, allowed in decided.items() if not allowed]
        if refused:
            again = await self._spicedb.ask_many(refused, NEWEST)
            decided |= dict(zip(refused, again, strict=True))
        for question, allowed in decided.items():
            self._remember(question, _Decision(allowed, asked_at, changes))
        return decided

    def _known(self, question: Question) -> _Decision | None:
        known = self._decisions.get(question)
        if known is None or known.changes != self._changes.get(_about(question), 0):
            return None
        return known

    def _serves(self, known: _Decision) -> bool:
        age_s = self._clock() - known.decided_at
        return age_s < (ALLOWED_S_MAX if known.is_allowed else DENIED_S_MAX)

    def _renew(self, question: Question) -> asyncio.Task[bool]:
        key = question, self._changes.get(_about(question), 0)
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._ask_and_remember(*key))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._settle(key, done))
        return task

    def _settle(self, key: tuple[Question, int], done: asyncio.Task[bool]) -> None:
        del self._asking[key]
        if not done.cancelled():
            done.exception()  # Whoever waits gets it; a renewal that nobody awaits may fail.

    async def _ask_and_remember(self, question: Question, changes: int) -> bool:
        asked_at = self._clock()
        allowed = await self._spicedb.ask(question, await self.as_of(question.resource))
        # A refusal looks at the newest data, so that a permission just given works at once.
        allowed = allowed or await self._spicedb.ask(question, NEWEST)
        self._remember(question, _Decision(allowed, asked_at, changes))
        return allowed

    def _remember(self, question: Question, decision: _Decision) -> None:
        if len(self._decisions) >= _DECISIONS_MAX:
            self._decisions.clear()
        self._decisions[question] = decision


def _about(question: Question) -> str:
    """Whose changes make a decision old."""
    resource = question.resource
    return resource if resource.startswith("organization:") else _ELSEWHERE


def _unavailable() -> ProblemError:
    return ProblemError("permissions_unavailable", headers=_RETRY_AFTER)
