"""The business clock, as the edge tells it: what due dates and lifetimes are compared with.

Live, it is the real time. In a sandbox `amply clock advance` moves it forward.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from workers.gateways import store_clock
from workers.gateways.database import Pool


class BusinessClock:
    """Tells the business time."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        # Whoever does not say that it is a sandbox gets the time that nothing moves.
        self._is_sandbox = settings.get("AMPLY_ENVIRONMENT") == "test"

    async def now(self, pool: Pool) -> datetime:
        """The business time, in UTC."""
        return await store_clock.now(pool) if self._is_sandbox else datetime.now(UTC)
