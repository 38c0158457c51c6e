"""The business clock: what the dates that people agreed on are compared with.

Live, it is the real time. In a sandbox it may be ahead, for the whole deployment, and only goes
forward, so that a day far off can be tried. Entries are dated by the recording clock, which nothing
moves.
"""

from datetime import UTC, datetime

from edge.database import store
from edge.settings import Environment
from edge.times import spell_time
from topics.outbox import AnyConnection


class BusinessClock:
    """Tells the business time, as entries spell times."""

    def __init__(self, environment: Environment) -> None:
        self._is_live = environment == "live"

    async def now(self, connection: AnyConnection) -> str:
        """The business time."""
        moment = datetime.now(UTC) if self._is_live else await store.business_now(connection)
        return spell_time(moment)
