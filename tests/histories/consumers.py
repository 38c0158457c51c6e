"""Workers without Kafka: each has a heap of deliveries before it, and may die on the way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from topics import failpoints
from topics.delivery import Delivery
from workers.runtime.batch import Batches
from workers.runtime.limits import Limits
from workers.runtime.parked import Parked
from workers.runtime.worker import Worker

#: Nothing waits by the real clock: what fails is parked, and due again whenever somebody looks.
LIMITS = Limits(
    attempts_max=2,
    retry_delay_s_first=0.0,
    retry_delay_s_max=0.0,
    park_delay_s_first=0.0,
    park_delay_s_max=0.0,
    lease_s=0.0,
)


class DeathError(BaseException):
    """The process is gone; no handler of errors in it hears of that."""


class Dying:
    """An armed failpoint: the `left`-th time that `name` is reached, the process dies."""

    signal = 0

    def __init__(self, name: str, left: int) -> None:
        self.name, self.left = name, left
        self.marker = self

    def touch(self) -> None:
        self.name = ""
        raise DeathError


@dataclass
class Consumer:
    """A worker and the heap of deliveries before it."""

    worker: Worker
    pool: Any
    resources: Any
    heap: list[Delivery] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.topics = {route.topic.name for route in self.worker.routes}
        self._begin()

    def _begin(self) -> None:
        self.batches = Batches(self.worker, self.pool, self.resources, LIMITS)
        self.parked = Parked(self.worker, self.pool, self.batches.calls, LIMITS)

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        """One batch; after a death a new process has everything to do again."""
        try:
            await self.batches.settle(deliveries)
        except (DeathError, BaseExceptionGroup) as error:
            if isinstance(error, BaseExceptionGroup) and error.split(DeathError)[1] is not None:
                raise
            self.heap += deliveries
            self._begin()

    async def retry(self) -> bool:
        """What was parked, once; whether any of it left the queue."""
        try:
            return await self.parked.try_due()
        except (DeathError, BaseExceptionGroup) as error:
            if isinstance(error, BaseExceptionGroup) and error.split(DeathError)[1] is not None:
                raise
            self._begin()
            return True


#: Where a worker can die: before its transaction, in it, after it.
STEPS = (
    "payments.answered",
    "payments.refunded",
    "runtime.before_commit",
    "runtime.before_commit",
    "runtime.committed",
)


def arm(dice: Random) -> Dying:
    """A death at a step of chance."""
    return Dying(dice.choice(STEPS), dice.randint(1, 2))


class dying:
    """While it is open, a failpoint is armed."""

    def __init__(self, armed: Dying | None) -> None:
        self._armed = armed

    def __enter__(self) -> None:
        failpoints._armed = self._armed  # type: ignore[assignment]

    def __exit__(self, *_: object) -> None:
        failpoints._armed = None
