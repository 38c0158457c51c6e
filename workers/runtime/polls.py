"""Watch a consumer's polls: is it asking, does Kafka answer, how far behind is it.

A poll during Kafka's absence answers nothing. A poll that *raises* means that aiokafka's
coordinator has died of something it did not expect, and nothing in the library starts it again.
"""

import asyncio
import time
from collections.abc import Collection
from typing import Any, Final

#: A poll returns as soon as there are records. FastStream's own, shorter polls would each be
#: followed by a pause as long as the poll, in which records wait.
POLL_MS: Final = 200


class Polls:
    """When the consumer last got an answer to a poll, and what it is assigned.

    After a poll that brought records, the next one waits `gather_s` seconds.
    """

    def __init__(self, gather_s: float = 0.0) -> None:
        self._gather_s = gather_s
        self._brought_records = False
        self.last_at = time.monotonic()
        self.failing_since: float | None = None
        self.consumer: Any = None

    def watch(self, consumer: Any) -> None:
        """Note every poll of this consumer from now on."""
        poll = consumer.getmany

        async def getmany(*partitions: Any, **options: Any) -> Any:
            if self._brought_records:
                await asyncio.sleep(self._gather_s)
            try:
                records = await poll(*partitions, **{**options, "timeout_ms": POLL_MS})
            except Exception:
                self.failing_since = self.failing_since or time.monotonic()
                raise
            self.last_at = time.monotonic()
            self.failing_since = None
            self._brought_records = bool(records)
            return records

        consumer.getmany = getmany
        self.consumer = consumer
        self.last_at = time.monotonic()
        self.failing_since = None

    async def until_broken(self, *, failing_s_max: float, look_s: float = 1.0) -> None:
        """Return when every poll has failed for so long: this consumer will not recover."""
        while True:
            since = self.failing_since
            if since is not None and time.monotonic() - since >= failing_s_max:
                return
            await asyncio.sleep(look_s)

    def age_s(self) -> float:
        """Seconds since the last poll returned."""
        return time.monotonic() - self.last_at

    def assigned(self) -> Collection[Any]:
        """The partitions that this process reads now."""
        partitions: Collection[Any] = self.consumer.assignment() if self.consumer else ()
        return partitions

    def fetch_age_s(self) -> float | None:
        """Seconds since Kafka last answered for the partition it answered for longest ago."""
        stamps = [self.consumer.last_poll_timestamp(partition) for partition in self.assigned()]
        known = [stamp for stamp in stamps if stamp]
        return time.time() - min(known) / 1000 if known else None

    async def lag(self) -> int:
        """Records in the assigned partitions that were not read yet, as far as is known."""
        total = 0
        for partition in self.assigned():
            highwater = self.consumer.highwater(partition)
            if highwater is not None:
                total += max(0, highwater - await self.consumer.position(partition))
        return total
