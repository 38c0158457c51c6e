"""Whether one more gift is taken: counted by the rules, over all edges."""

import asyncio
import hashlib
import hmac
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from aiohttp import web

from edge import metrics
from edge.database.pool import Database
from edge.errors import ProblemError
from edge.group_commit import GroupCommit
from edge.limits import store
from edge.limits.clients import Clients
from edge.limits.rules import Hit, Limits, hits_of, retry_after_s
from topics.outbox import AnyConnection

PURPOSE: Final = "limits"
_FORGET_EVERY_S: Final = 60.0

Refusal = tuple[str, int]


class DonationLimits:
    """Gifts, and tries to collect them again, within the limits. `key` hashes who it was."""

    def __init__(self, database: Database, limits: Limits, clients: Clients, key: bytes) -> None:
        self._database, self._limits, self._key = database, limits, key
        self._clients = clients
        self._counts: GroupCommit[Sequence[Hit], Refusal | None] = GroupCommit(
            self._count, is_shared=lambda error: isinstance(error, ProblemError)
        )
        self._forgetting: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to count, and to forget."""
        self._counts.start()
        self._forgetting = asyncio.create_task(self._forget(), name="limits")

    async def close(self) -> None:
        """Stop."""
        await self._counts.close()
        if self._forgetting is not None:
            self._forgetting.cancel()
            with suppress(asyncio.CancelledError):
                await self._forgetting

    def client_of(self, request: web.Request) -> str | None:
        """Who asks, where that is to be known; ProblemError 403 for those who are denied."""
        self._clients.refuse_denied(request)
        return self._clients.address_of(request)

    async def admit(self, client: str | None, organization: str, email: str | None = None) -> None:
        """Count a gift; ProblemError 429 when there were too many."""
        hits = hits_of(self._limits, client, organization, email)
        if not hits:
            return
        refusal = await asyncio.shield(self._counts.submit(hits))
        if refusal is not None:
            rule, seconds = refusal
            metrics.LIMITED.labels(rule).inc()
            raise ProblemError("too_many_requests", headers={"Retry-After": str(seconds)})

    async def _count(self, batch: Sequence[Sequence[Hit]]) -> list[Refusal | None]:
        """The refusal of each, in order. A round counts one more hit of all that were admitted."""
        refusals: list[Refusal | None] = [None] * len(batch)
        rounds = max(map(len, batch))
        async with self._database.connection() as connection:
            for place in range(rounds):
                asked = [
                    (number, hits[len(hits) - rounds + place])
                    for number, hits in enumerate(batch)
                    if refusals[number] is None and len(hits) >= rounds - place
                ]
                if asked:
                    await self._count_round(connection, asked, refusals)
        return refusals

    async def _count_round(
        self,
        connection: AnyConnection,
        asked: Sequence[tuple[int, Hit]],
        refusals: list[Refusal | None],
    ) -> None:
        wanted = Counter(hit for _, hit in asked)
        names = {(hit.rule.name, self._name(hit)): hit for hit in wanted}
        rows = [
            (rule, name, wanted[hit], hit.rule.most, hit.rule.slot_s)
            for (rule, name), hit in names.items()
        ]
        left, waits = {}, {}
        for row in await store.count(connection, rows):
            hit = names[row["rule"], row["subject"]]
            left[hit] = row["granted"]
            waits[hit] = retry_after_s(hit.rule, row["slot"], row["hits"], row["now_s"])
        for number, hit in asked:
            left[hit] -= 1
            if left[hit] < 0:
                refusals[number] = (hit.rule.name, waits[hit])

    def _name(self, hit: Hit) -> bytes:
        """A keyed hash: who it was can be counted, and not be told."""
        text = f"{hit.rule.name}\n{hit.subject}"
        return hmac.digest(self._key, text.encode(), hashlib.sha256)

    async def _forget(self) -> None:
        while True:
            # While PostgreSQL is away the next round does it.
            with suppress(ProblemError):
                async with self._database.connection() as connection:
                    await store.forget(connection)
            await asyncio.sleep(_FORGET_EVERY_S)
