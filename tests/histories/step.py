"""A history is a list of steps; a step is a kind of the table and dice of its own."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from tests.histories.play import Play


@dataclass(frozen=True, slots=True)
class Step:
    """`number` is its place in the whole history, kept when others are left out of it."""

    number: int
    kind: str
    dice: int

    def random(self, purpose: str = "") -> Random:
        """Chance that depends on this step alone."""
        return Random(f"{self.dice}/{purpose}")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a step of this kind does. It answers with a plain sentence, or None: nothing to do."""

    weight: float
    act: Callable[[Play, Step], Awaitable[str | None]]


Table = dict[str, Kind]
