"""How much of the edge one client may hold at once: connections, requests, slowness. Pure."""

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Bounds of one process; those of one address: 0 is none.

    `head_s` is the time that a request's head may take, `stalled_s` the time in which a client has
    to take in what waits for it, `drain_s` goes by between the red /readyz and the closed port.
    """

    connections: int = 4_000
    connections_of_address: int = 0
    requests: int = 3_000
    requests_of_address: int = 0
    head_s: float = 10.0
    stalled_s: float = 30.0
    drain_s: float = 0.0


class Places:
    """So many places, and so many for one address; 0: as many as there are."""

    def __init__(self, most: int, most_of_address: int) -> None:
        self._most, self._most_of_address = most, most_of_address
        self._taken: Counter[str] = Counter()
        self._count = 0

    def take(self, address: str | None) -> bool:
        """Whether there was a place: then it is taken until it is given back."""
        if self._count >= self._most:
            return False
        if address is not None and self._most_of_address:
            if self._taken[address] >= self._most_of_address:
                return False
            self._taken[address] += 1
        self._count += 1
        return True

    def give_back(self, address: str | None) -> None:
        """A place that was taken is free again."""
        self._count -= 1
        if address is not None and self._most_of_address:
            self._taken[address] -= 1
            if not self._taken[address]:
                del self._taken[address]
