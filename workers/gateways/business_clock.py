"""The business clock, as the edge tells it: what due dates and lifetimes are compared with.

Live, it is the real time. In a sandbox `amply clock advance` moves it forward.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from workers.gateways import store_clock
from workers.gateways.database import Pool


class BusinessClock:
    """Tells the business time."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        # Whoever does not say that it is a sandbox gets the time that nothing moves.
        self._is_sandbox = settings.get("AMPLY_ENVIRONMENT") == "test"
        self._ahead = timedelta()
        self._read_at = float("-inf")

    async def now(self, pool: Pool, *, stale_s: float = 0.0) -> datetime:
        """The business time, in UTC; a move of the sandbox's clock may show `stale_s` later."""
        if self._is_sandbox and time.monotonic() - self._read_at >= stale_s:
            self._ahead = await store_clock.ahead(pool)
            self._read_at = time.monotonic()
        return datetime.now(UTC) + self._ahead
