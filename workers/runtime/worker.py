"""What a worker author meets: routes of two kinds, a transaction to write in, and four errors.

`decide` handles messages inside one transaction and touches nothing outside the database. `act`
talks to the outside world first, with an idempotency key, then records what came of it. The runtime
opens and commits every transaction; a handler never does.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from contracts.identifiers import caused_id
from contracts.message import BodyT, Envelope
from topics import outbox
from topics.codec import Record
from topics.topic import Topic

Outcome = TypeVar("Outcome")
Received = TypeVar("Received")


class Refused(Exception):  # noqa: N818 - it is an answer to a message, not a fault of ours
    """The message breaks a rule: it goes to the dead letters and `messages.refused.v1` says so.

    `code` is for machines (`[a-z0-9_]`), the text for people; neither may quote personal data.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Transient(Exception):  # noqa: N818 - it is an answer to a message, not a fault of ours
    """It cannot be done now, trying again may help. Past its bound the message's key is parked."""


class Away(Transient):
    """What it needs is away for a while: the message's key is parked without further tries."""


@dataclass(slots=True)
class Transaction:
    """One batch, one database transaction. What is sent leaves when it commits."""

    connection: outbox.AnyConnection
    sender: str
    records: list[Record] = field(default_factory=list)

    def send(
        self,
        topic: Topic[BodyT],
        body: BodyT,
        *,
        cause: Envelope[Any],
        ordinal: int = 0,
        id: UUID | None = None,  # noqa: A002 - the attribute's CloudEvents name
        time: datetime | None = None,
    ) -> None:
        """Queue a message about the organization of `cause`.

        Its id is derived from the cause, the topic and `ordinal`, unless a business object states
        the fact: then pass `business_id(...)` as `id`. `time` defaults to the cause's.
        """
        message = Envelope(
            id=id or caused_id(cause.id, topic.name, ordinal),
            type=topic.name,
            time=time or cause.time,
            organization=cause.organization,
            cause=cause.id,
            body=body,
            trace=cause.trace,
        )
        self.records.append(outbox.prepare(self.sender, topic, message))


@dataclass(frozen=True, slots=True)
class Decide(Generic[BodyT]):
    """Handle new messages of a topic, in order, inside the batch's transaction."""

    topic: Topic[BodyT]
    handle: Callable[[Sequence[Envelope[BodyT]], Transaction], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Act(Generic[BodyT, Outcome]):
    """Call the outside for each new message (at most 32 at once, one key in order), then record.

    A crash between the two repeats the call: `call` passes an idempotency key. `call` gets the
    worker's resources; it answers a final no as an outcome and raises `Transient` to try again.
    """

    topic: Topic[BodyT]
    call: Callable[[Envelope[BodyT], Any], Awaitable[Outcome]]
    record: Callable[[Sequence[tuple[Envelope[BodyT], Outcome]], Transaction], Awaitable[None]]


Route = Decide[Any] | Act[Any, Any]


@dataclass(frozen=True, slots=True)
class Worker:
    """`name` is the consumer group, the inbox key and the database role `amply_<name>`.

    Renaming a worker makes it handle every retained message again. `resources` opens what the
    calls of `Act` need (a Stripe client, a pool, ...) for the life of the process; it gets the
    process's settings. After a batch, messages gather for `gather_s` seconds before the next one is
    taken: under load that makes fewer and larger transactions, on an idle worker it costs nothing.
    Kafka lets them gather before it tells of the first for `fetch_wait_s`: that spares both of them
    most of their round trips, and whoever waits for the worker waits that much longer.
    """

    name: str
    routes: Sequence[Route]
    resources: Callable[[Mapping[str, str]], AbstractAsyncContextManager[Any]] | None = None
    gather_s: float = 0.02
    fetch_wait_s: float = 0.0
