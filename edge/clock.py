"""The business clock: what the dates that people agreed on are compared with.

Live, it is the real time. In a sandbox it may be ahead, for the whole deployment, and only goes
forward, so that a day far off can be tried. Entries are dated by the recording clock, which nothing
moves.
"""

from datetime import UTC, datetime

from edge.database import store
from edge.database.pool import Database
from edge.settings import Environment
from edge.times import spell_time
from topics.outbox import AnyConnection


class BusinessClock:
    """Tells the business time."""

    def __init__(self, environment: Environment) -> None:
        self._is_live = environment == "live"

    async def now(self, connection: AnyConnection) -> str:
        """The business time, as entries spell times."""
        return spell_time(await self._read(connection))

    async def moment(self, database: Database) -> datetime:
        """The business time, on a connection of its own."""
        async with database.connection() as connection:
            return await self._read(connection)

    async def _read(self, connection: AnyConnection) -> datetime:
        return datetime.now(UTC) if self._is_live else await store.business_now(connection)
