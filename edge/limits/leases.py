"""Hits that this process may grant by itself: taken from the shared store in advance, and settled.

The store counts what is taken as granted, so that all processes together never grant more than the
limit. What was taken is good for the sixth of the window that it was counted in; what is left of it
then is given back. How much is taken at once follows how fast it is used: of a limit of 3 one by
one, of 500 up to 25, so that a busy key costs a statement now and then.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from edge.database.pool import Database
from edge.errors import ProblemError
from edge.group_commit import GroupCommit
from edge.limits import store
from edge.limits.rules import Hit, retry_after_s

#: Of a limit this part at most is taken at once.
_PART: Final = 20
_LEASES_MAX: Final = 50_000
_SETTLE_EVERY_S: Final = 1.0
_ANSWER_S_MAX: Final = 1.0
_AWAY_S: Final = 2.0


class AwayError(Exception):
    """The shared store does not answer: nobody knows how often it was."""


@dataclass(slots=True)
class Lease:
    """`left` hits until `ends_at` (this process's clock); `is_dry`: the store has no more then.

    `beyond` hits of the limit were left to others, and in `reset_s` there may be more.
    """

    left: int
    size: int
    slot: int
    ends_at: float
    is_dry: bool
    beyond: int
    reset_s: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a hit was granted, how many more would be, and in how many seconds that changes."""

    is_granted: bool
    remaining: int
    reset_s: int


class Leases:
    """Grants hits. `key` hashes whose they are."""

    def __init__(self, database: Database, key: bytes, clock: Callable[[], float]) -> None:
        self._database, self._key, self._clock = database, key, clock
        self._leases: dict[Hit, Lease] = {}
        self._asking: dict[Hit, asyncio.Task[None]] = {}
        self._returned: list[store.Returned] = []
        self._away_until = 0.0
        self._asks: GroupCommit[tuple[Hit, int], Lease] = GroupCommit(
            self._take, is_shared=lambda error: isinstance(error, ProblemError)
        )
        self._settling: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to take, and to settle."""
        self._asks.start()
        self._settling = asyncio.create_task(self._settle_on(), name="leases")

    async def close(self) -> None:
        """Give back what is left."""
        if self._settling is not None:
            self._settling.cancel()
            with suppress(asyncio.CancelledError):
                await self._settling
        await self._asks.close()
        for hit in list(self._leases):
            self._end(hit)
        await self._settle()

    async def spend(self, hit: Hit) -> Standing:
        """One hit; AwayError while the store is away."""
        while True:
            lease = self._leases.get(hit)
            if lease is not None and self._clock() < lease.ends_at:
                if lease.left:
                    lease.left -= 1
                    return Standing(True, lease.left + lease.beyond, lease.reset_s)
                if lease.is_dry:
                    return Standing(False, 0, lease.reset_s)
            if self._clock() < self._away_until:
                raise AwayError
            task = self._asking.get(hit)
            if task is None:
                task = self._asking[hit] = asyncio.create_task(self._renew(hit))
                task.add_done_callback(_look_at)
            try:
                async with asyncio.timeout(_ANSWER_S_MAX):
                    await asyncio.shield(task)
            except (TimeoutError, ProblemError) as error:
                self._away_until = self._clock() + _AWAY_S
                raise AwayError from error

    async def _renew(self, hit: Hit) -> None:
        try:
            before = self._leases.get(hit)
            # All of it was used: twice as much.
            wanted = before.size * 2 if before is not None and not before.left else 1
            self._end(hit)
            lease = await self._asks.submit((hit, max(1, min(wanted, hit.rule.most // _PART))))
            if len(self._leases) >= _LEASES_MAX:
                self._end(next(iter(self._leases)))
            self._leases[hit] = lease
        finally:
            del self._asking[hit]

    async def _take(self, asked: Sequence[tuple[Hit, int]]) -> list[Lease]:
        names = [(hit.rule.name, self._name(hit)) for hit, _ in asked]
        rows = [
            (*name, size, hit.rule.most, hit.rule.slot_s)
            for name, (hit, size) in zip(names, asked, strict=True)
        ]
        before = self._clock()
        async with self._database.connection() as connection:
            counted = {
                (row["rule"], row["subject"]): row for row in await store.count(connection, rows)
            }
        leases = []
        for name, (hit, size) in zip(names, asked, strict=True):
            row, rule = counted[name], hit.rule
            slot_ends_s = (row["slot"] + 1) * rule.slot_s
            leases.append(
                Lease(
                    left=row["granted"],
                    size=size,
                    slot=row["slot"],
                    ends_at=before + slot_ends_s - row["now_s"],
                    is_dry=row["granted"] < size,
                    beyond=max(0, rule.most - sum(row["hits"])),
                    reset_s=retry_after_s(rule, row["slot"], row["hits"], row["now_s"]),
                )
            )
        return leases

    def _end(self, hit: Hit) -> None:
        lease = self._leases.pop(hit, None)
        if lease is not None and lease.left:
            self._returned.append((hit.rule.name, self._name(hit), lease.slot, lease.left))

    async def _settle_on(self) -> None:
        while True:
            await asyncio.sleep(_SETTLE_EVERY_S)
            now = self._clock()
            for hit in [hit for hit, lease in self._leases.items() if lease.ends_at <= now]:
                self._end(hit)
            await self._settle()

    async def _settle(self) -> None:
        returned, self._returned = self._returned, []
        if not returned:
            return
        # While PostgreSQL is away they are lost: that errs on the side of the limit.
        with suppress(ProblemError):
            async with self._database.connection() as connection:
                await store.give_back(connection, returned)

    def _name(self, hit: Hit) -> bytes:
        """A keyed hash: who it was can be counted, and not be told."""
        text = f"{hit.rule.name}\n{hit.subject}"
        return hmac.digest(self._key, text.encode(), hashlib.sha256)


def _look_at(task: asyncio.Task[None]) -> None:
    """Whoever waited may have gone: nobody else need retrieve its error."""
    if not task.cancelled():
        task.exception()
