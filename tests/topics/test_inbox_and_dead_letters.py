"""Inbox and dead letters on a real database, with the role of a worker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from contracts.identifiers import random_id
from tests.databases import prepare, role_dsn
from tests.engines import LoopThread
from topics import dead_letters, inbox
from topics.dead_letters import Verdict
from topics.delivery import Delivery

PARKED = Verdict("parked", "transient", "the outside is down")
DEAD = Verdict("dead", "too_odd", "it is too odd")


@pytest.fixture(scope="module")
def topics_database(postgres_database: Callable[[], str], engine_loop: LoopThread) -> str:
    superuser = postgres_database()
    engine_loop.run(prepare(superuser))
    return role_dsn(superuser, "fees")


@pytest.fixture
async def connection(topics_database: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(topics_database)
    yield connection
    await connection.close()


@pytest.fixture
def worker(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


def delivery(offset: int, key: bytes = b"k", topic: str = "t") -> Delivery:
    headers = (("a", b"\xff\x00"), ("null", None))
    return Delivery(topic, 0, offset, key, headers, b"\x00value")


async def test_first_sights_are_first_once(connection: Any, worker: str) -> None:
    ids = [random_id(datetime.now(UTC)) for _ in range(5)] + [UUID(int=1)]
    assert await inbox.first_sights(connection, worker, ids[:3]) == set(ids[:3])
    assert await inbox.first_sights(connection, worker, [*ids, *ids]) == set(ids[3:])
    assert await inbox.first_sights(connection, worker, ids) == frozenset()
    assert await inbox.first_sights(connection, worker, []) == frozenset()
    assert await inbox.first_sights(connection, worker + "2", ids) == set(ids)
    assert await inbox.seen(connection, worker, [ids[0], UUID(int=2)]) == {ids[0]}


async def test_a_second_process_waits_for_the_first_ones_transaction(
    topics_database: str, connection: Any, worker: str
) -> None:
    ids = [random_id(datetime.now(UTC)) for _ in range(50)]
    other = await asyncpg.connect(topics_database)
    transaction = connection.transaction()
    await transaction.start()
    await inbox.first_sights(connection, worker, ids)
    waiting = asyncio.create_task(inbox.first_sights(other, worker, reversed(ids)))
    await asyncio.wait({waiting}, timeout=0.2)
    assert not waiting.done()
    await transaction.rollback()
    assert await waiting == set(ids)
    await other.close()


async def put(connection: Any, worker: str, *rows: tuple[Delivery, Verdict]) -> None:
    await dead_letters.put(connection, worker, [(one, None, verdict) for one, verdict in rows])


async def claim(connection: Any, worker: str) -> list[int]:
    due = await dead_letters.claim_due(connection, worker, limit=10, lease_s=60)
    return sorted(row.delivery.offset for row in due)


async def test_a_delivery_lies_aside_once_and_whole(connection: Any, worker: str) -> None:
    await put(connection, worker, (delivery(1), DEAD), (delivery(2), PARKED))
    await put(connection, worker, (delivery(1), PARKED))
    first, second = await dead_letters.find(connection, worker=worker)
    assert (first.delivery, first.disposition, first.code) == (delivery(1), "dead", "too_odd")
    assert second.reason == "the outside is down"
    assert await dead_letters.inspect(connection, first.position) == first
    assert await dead_letters.inspect(connection, -1) is None
    assert await dead_letters.count(connection, worker) == {"parked": 1, "dead": 1}
    assert await dead_letters.find(connection, worker=worker, after=first.position) == [second]
    found = await dead_letters.find(connection, worker=worker, disposition="parked", limit=5)
    assert found == [second]


async def test_only_the_first_of_a_key_is_due_and_one_claim_gets_it(
    topics_database: str, connection: Any, worker: str
) -> None:
    await put(
        connection,
        worker,
        (delivery(1, b"a"), PARKED),
        (delivery(2, b"a"), PARKED),
        (delivery(3, b"b"), PARKED),
        (delivery(4, b"c"), Verdict("parked", "transient", "later", delay_s=60)),
        (delivery(5, b"d"), DEAD),
    )
    assert await claim(connection, worker) == [1, 3]
    other = await asyncpg.connect(topics_database)
    assert await claim(other, worker) == [], "claimed for a while"
    await other.close()
    head, follower, *_ = await dead_letters.find(connection, worker=worker)
    assert head.attempts == 1 and follower.attempts == 0
    await dead_letters.remove(connection, head.position)
    assert await claim(connection, worker) == [2], "the next of its key follows"
    await dead_letters.bury(connection, follower.position, DEAD)
    assert await claim(connection, worker) == []


async def test_parked_keys_and_postponing(connection: Any, worker: str) -> None:
    await put(connection, worker, (delivery(1, b"a"), PARKED), (delivery(2, b"b"), DEAD))
    keys = [("t", b"a"), ("t", b"b"), ("other", b"a"), ("t", b"a")]
    assert await dead_letters.parked_keys(connection, worker, keys) == {("t", b"a")}
    assert await dead_letters.parked_keys(connection, worker, []) == set()
    (row,) = await dead_letters.claim_due(connection, worker, limit=1, lease_s=0)
    verdict = Verdict("parked", "transient", "still down", delay_s=30)
    await dead_letters.postpone(connection, row.position, verdict)
    assert await claim(connection, worker) == []
    again = await dead_letters.inspect(connection, row.position)
    assert again is not None and again.reason == "still down"


async def test_releasing_a_dead_letter_has_it_handled_first(connection: Any, worker: str) -> None:
    await put(connection, worker, (delivery(1), DEAD), (delivery(2), PARKED))
    dead, _ = await dead_letters.find(connection, worker=worker)
    assert await dead_letters.release(connection, [dead.position, -5]) == 1
    assert await claim(connection, worker) == [1]
