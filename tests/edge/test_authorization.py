import asyncio
from collections.abc import Sequence

import pytest

from edge.authorization import Authorization
from edge.errors import ProblemError
from edge.spicedb import NEWEST, AsOf, Question, UnreachableError

QUESTION = Question("organization:o", "create_donation_by_api", "api_key:k")
OTHER = Question("organization:o", "create_donation_by_api", "api_key:l")


class World:
    """A SpiceDB that answers as told, and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.allowed = True
        self.fresh_allowed: bool | None = None
        self.is_away = False
        self.token: str | None = None
        self.asked: list[tuple[Question, AsOf]] = []
        self.calls = 0
        self.authorization = Authorization(self, lambda: self.now, self.token_of)

    async def token_of(self, organization: str) -> str | None:
        return self.token if organization == "o" else None

    async def ask_many(self, questions: Sequence[Question], as_of: AsOf) -> list[bool]:
        self.calls += 1
        return [await self.ask(question, as_of) for question in questions]

    async def ask(self, question: Question, as_of: AsOf) -> bool:
        self.asked.append((question, as_of))
        await asyncio.sleep(0)
        if self.is_away:
            raise UnreachableError
        if as_of.is_newest and self.fresh_allowed is not None:
            return self.fresh_allowed
        return self.allowed

    async def settle(self) -> None:
        """Let what runs in the background end."""
        for _ in range(10):
            await asyncio.sleep(0)

    async def decide(self, *, may_be_stale: bool = False, question: Question = QUESTION) -> bool:
        return await self.authorization.is_allowed(question, may_be_stale=may_be_stale)


async def test_a_decision_serves_for_two_seconds_and_is_renewed_before() -> None:
    world = World()
    assert await world.decide()
    world.now += 0.9
    assert await world.decide()
    await world.settle()
    assert len(world.asked) == 1
    world.now += 0.2
    world.allowed = False
    assert await world.decide()  # Still the old one, while the new one is asked for.
    await world.settle()
    assert not await world.decide()


async def test_a_renewal_that_fails_changes_nothing() -> None:
    world = World()
    assert await world.decide()
    world.is_away = True
    world.now += 1.9
    assert await world.decide()
    await world.settle()
    assert await world.decide()
    world.now += 0.2
    with pytest.raises(ProblemError):
        await world.decide()


async def test_a_withdrawn_permission_is_gone_after_that() -> None:
    world = World()
    assert await world.decide(may_be_stale=True)
    world.allowed = False
    world.now += 2.1
    assert not await world.decide(may_be_stale=True)


async def test_a_refusal_looks_at_the_newest_data_and_is_kept_for_a_second() -> None:
    world = World()
    world.allowed, world.fresh_allowed = False, True
    assert await world.decide()
    assert world.asked == [(QUESTION, AsOf()), (QUESTION, NEWEST)]
    world = World()
    world.allowed = False
    assert not await world.decide()
    assert not await world.decide()
    assert len(world.asked) == 2
    world.now += 1.1
    world.allowed = True
    assert await world.decide()


async def test_many_at_once_ask_once() -> None:
    world = World()
    assert all(await asyncio.gather(*(world.decide() for _ in range(50))))
    assert len(world.asked) == 1


async def test_a_caller_who_goes_does_not_take_the_answer_from_the_others() -> None:
    world = World()
    going = asyncio.create_task(world.decide())
    staying = asyncio.create_task(world.decide())
    await asyncio.sleep(0)
    going.cancel()
    assert await staying


@pytest.mark.parametrize(("age_s", "serves"), [(59.0, True), (61.0, False)])
async def test_only_who_may_uses_an_old_decision_while_spicedb_is_away(
    age_s: float, serves: bool
) -> None:
    world = World()
    assert await world.decide()
    world.is_away = True
    world.now += age_s
    with pytest.raises(ProblemError) as refused:
        await world.decide()
    assert refused.value.code == "permissions_unavailable"
    if serves:
        assert await world.decide(may_be_stale=True)
        return
    with pytest.raises(ProblemError):
        await world.decide(may_be_stale=True)


async def test_without_a_decision_nothing_is_allowed_while_spicedb_is_away() -> None:
    world = World()
    world.is_away = True
    with pytest.raises(ProblemError) as refused:
        await world.decide(may_be_stale=True)
    assert refused.value.kind.status == 503
    assert refused.value.headers["Retry-After"]


async def test_an_old_refusal_never_becomes_a_permission() -> None:
    world = World()
    world.allowed = False
    assert not await world.decide(may_be_stale=True)
    world.is_away = True
    world.now += 2
    with pytest.raises(ProblemError):
        await world.decide(may_be_stale=True)


async def test_one_keys_decision_is_not_anothers() -> None:
    world = World()
    assert await world.decide()
    world.allowed = False
    assert not await world.decide(question=OTHER)


async def test_a_change_that_was_heard_ends_what_was_decided_before() -> None:
    world = World()
    assert await world.decide()
    world.allowed, world.token = False, "t2"
    world.authorization.forget("o")
    assert not await world.decide()
    assert world.asked[1:] == [(QUESTION, AsOf("t2")), (QUESTION, NEWEST)]


async def test_a_change_of_another_organization_ends_nothing_here() -> None:
    world = World()
    assert await world.decide()
    world.authorization.forget("p")
    assert await world.decide()
    assert len(world.asked) == 1


async def test_what_was_asked_before_a_change_is_not_remembered_after_it() -> None:
    world = World()
    deciding = asyncio.create_task(world.decide())
    await asyncio.sleep(0)
    world.authorization.forget("o")
    world.allowed = False
    assert not await world.decide()
    await deciding
    assert not await world.decide()


async def test_a_withdrawn_permission_that_was_heard_of_is_gone_while_spicedb_is_away() -> None:
    world = World()
    assert await world.decide(may_be_stale=True)
    world.authorization.forget("o")
    world.is_away = True
    with pytest.raises(ProblemError):
        await world.decide(may_be_stale=True)


async def test_where_money_moves_nothing_is_remembered() -> None:
    world = World()
    assert await world.decide()
    world.allowed = False
    assert not await world.authorization.is_allowed(QUESTION, is_fresh=True)
    world.is_away = True
    with pytest.raises(ProblemError):
        await world.authorization.is_allowed(QUESTION, is_fresh=True, may_be_stale=True)


async def test_many_questions_are_one_call_and_remembered_each() -> None:
    world = World()
    many = [Question(f"fund:{n}", "view", "api_key:k") for n in range(50)]
    assert await world.authorization.are_allowed(many) == [True] * 50
    assert await world.authorization.are_allowed(many[:2]) == [True] * 2
    assert world.calls == 1
    world.authorization.forget("whichever")
    world.allowed = False
    assert await world.authorization.are_allowed(many) == [False] * 50
    world.is_away = True
    world.now += 2
    with pytest.raises(ProblemError):
        await world.authorization.are_allowed(many)
