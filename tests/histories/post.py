"""The way of webhooks from Stripe to us: nothing is sent by itself, a history delivers or loses."""

from random import Random
from typing import Any

from deploy.sandbox.calls import World
from tests.histories.trouble import Weather


class Post:
    """Stands where the sandbox has its deliveries; `pending` are events on their way."""

    paused = False

    def __init__(self, world: World) -> None:
        self._world = world
        self.pending: list[int] = []
        self.lost = 0

    def enqueue(self, emitted: list[tuple[int, str]]) -> None:
        """Take committed deliveries (sequence, event type)."""
        self.pending += [sequence for sequence, _ in emitted]

    def take(self, dice: Random, weather: Weather) -> list[tuple[int, bytes]]:
        """The events (sequence, body) that arrive now, in an order of chance."""
        dice.shuffle(self.pending)
        arriving: list[int] = []
        held: list[int] = []
        for sequence in self.pending:
            chance = dice.random()
            if chance < weather.lost:
                self._world.store.end_delivery(sequence, "lost", None)
                self.lost += 1
            elif chance < weather.lost + weather.held:
                held.append(sequence)
            else:
                arriving += [sequence] * (2 if dice.random() < weather.twice else 1)
        self.pending = held
        return [(sequence, self._body(sequence)) for sequence in arriving]

    def arrived(self, sequence: int) -> None:
        """We answered 2xx."""
        self._world.store.end_delivery(sequence, "delivered", 200)

    def retry_all(self) -> int:
        """Nothing waits for a retry: what was held is still on its way."""
        return 0

    def wake(self) -> int:
        """The clock was moved: nothing waits for a time."""
        return 0

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""

    def _body(self, sequence: int) -> bytes:
        row: Any = self._world.store.database.execute(
            "SELECT o.body FROM deliveries d JOIN objects o ON o.id = d.event WHERE d.sequence = ?",
            (sequence,),
        ).fetchone()
        text: str = row[0]
        return text.encode()
