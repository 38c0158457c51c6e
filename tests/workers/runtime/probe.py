"""A small worker for tests of the runtime; run as a script it is a process like any worker.

Its messages say what shall become of them. Effects and calls are rows without unique keys, so that
whatever happens twice is seen twice.
"""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import uvloop

from contracts.identifiers import random_id, type_id
from contracts.message import Body, Envelope
from contracts.messages import MessageRefused
from topics import codec
from topics.delivery import Delivery
from topics.topic import Topic
from workers.runtime import effects, host, logs
from workers.runtime.worker import Act, Away, Decide, Refused, Transaction, Transient, Worker
from workers.settings import load

SCHEMA = """
    CREATE SCHEMA probe;
    CREATE TABLE probe.effects (at bigserial, worker text, topic text, key text, number int,
        scope text, pid int);
    CREATE TABLE probe.calls (at bigserial, worker text, key text, number int, pid int);
    CREATE TABLE probe.outside (worker text, key text, answer text, PRIMARY KEY (worker, key));
    CREATE TABLE probe.strict (number int CHECK (number < 1000));
    GRANT USAGE ON SCHEMA probe TO amply_payments;
    GRANT ALL ON ALL TABLES IN SCHEMA probe TO amply_payments;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA probe TO amply_payments;
    CREATE TABLE probe.forbidden (number int);
"""
ORGANIZATIONS = [type_id("org", UUID(int=number)) for number in range(1, 4)]


class Order(Body):
    """`behaviour` is what the handler does with it."""

    number: int
    key: str
    behaviour: str = "succeed"


def topic_of(name: str) -> Topic[Order]:
    return Topic(
        name=name,
        body=Order,
        kind="command",
        senders=frozenset({"probe"}),
        key=lambda message: message.body.key,
        partitions=4,
    )


def order(topic: Topic[Order], number: int, key: str = "k", **body: Any) -> Envelope[Order]:
    organization = body.pop("organization", ORGANIZATIONS[sum(key.encode()) % 3])
    return Envelope(
        id=random_id(datetime.now(UTC)),
        type=topic.name,
        time=datetime.now(UTC),
        organization=organization,
        cause=None,
        body=Order(number=number, key=key, **body),
    )


def delivery(topic: Topic[Order], message: Envelope[Order], offset: int) -> Delivery:
    record = codec.encode(topic, message)
    return Delivery(topic.name, 0, offset, record.key, record.headers, record.value)


async def misbehave(body: Order, connection: Any) -> None:
    if body.behaviour == "refuse":
        raise Refused("too_odd", f"number {body.number} is too odd")
    if body.behaviour == "bug":
        raise KeyError("a person's name")
    if body.behaviour == "constraint":
        await connection.execute("INSERT INTO probe.strict VALUES ($1)", 1000 + body.number)
    if body.behaviour == "forbidden":
        await connection.execute("INSERT INTO probe.forbidden VALUES (1)")
    if body.behaviour in {"outside", "slow"}:
        sql = "SELECT answer FROM probe.outside WHERE key = $1"
        if await connection.fetchval(sql, body.key) == "down":
            raise Transient("the outside is down")
    if body.behaviour == "away":
        raise Away("the outside takes no calls")
    if body.behaviour == "slow":
        await connection.execute("SELECT pg_sleep(2)")


async def write(
    topic: Topic[Order], messages: Sequence[Envelope[Order]], transaction: Transaction
) -> None:
    for message in messages:
        await transaction.connection.execute(
            "INSERT INTO probe.effects (worker, topic, key, number, scope, pid)"
            " VALUES ($1, $2, $3, $4, current_setting('app.organizations'), $5)",
            transaction.sender,
            topic.name,
            message.body.key,
            message.body.number,
            os.getpid(),
        )
        follow_up = replace(topic_of(topic.name + ".next"), senders=frozenset({transaction.sender}))
        transaction.send(follow_up, message.body, cause=message)


def decide_route(topic: Topic[Order]) -> Decide[Order]:
    async def handle(messages: Sequence[Envelope[Order]], transaction: Transaction) -> None:
        for message in messages:
            await misbehave(message.body, transaction.connection)
        await write(topic, messages, transaction)

    return Decide(topic, handle)


def act_route(topic: Topic[Order], worker: str) -> Act[Order, int]:
    async def call(message: Envelope[Order], pool: Any) -> int:
        body = message.body
        await pool.execute(
            "INSERT INTO probe.calls (worker, key, number, pid) VALUES ($1, $2, $3, $4)",
            worker,
            body.key,
            body.number,
            os.getpid(),
        )
        if body.behaviour != "constraint":
            await misbehave(body, pool)
        return body.number

    async def record(
        outcomes: Sequence[tuple[Envelope[Order], int]], transaction: Transaction
    ) -> None:
        for message, outcome in outcomes:
            assert outcome == message.body.number
            if message.body.behaviour == "constraint":
                await misbehave(message.body, transaction.connection)
        await write(topic, [message for message, _ in outcomes], transaction)

    return Act(topic, call, record)


@asynccontextmanager
async def pool_of(variables: Mapping[str, str]) -> AsyncIterator[Any]:
    pool = await asyncpg.create_pool(variables["AMPLY_POSTGRES"], min_size=0, max_size=8)
    try:
        yield pool
    finally:
        pool.terminate()


def worker_of(kind: str, name: str, topic: Topic[Order]) -> Worker:
    allow_refusals(name)
    route = decide_route(topic) if kind == "decide" else act_route(topic, name)
    return Worker(name, [route], resources=pool_of)


def allow_refusals(name: str) -> None:
    """Let the test's worker send refusals too, as the registry lets the real ones."""
    known: Topic[MessageRefused] = vars(effects)["MESSAGES_REFUSED"]
    vars(effects).update(MESSAGES_REFUSED=replace(known, senders=known.senders | {name}))


if __name__ == "__main__":
    logs.configure("probe")
    probe = worker_of(
        os.environ["PROBE_KIND"], os.environ["PROBE_NAME"], topic_of(os.environ["PROBE_TOPIC"])
    )
    uvloop.run(host.run(probe, load(os.environ)))
