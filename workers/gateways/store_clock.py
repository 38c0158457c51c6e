"""What the sandbox's business clock says."""

from datetime import datetime
from typing import Final

from workers.gateways.database import Pool

NOW: Final = "SELECT now FROM read.business_clock"


async def now(pool: Pool) -> datetime:
    """The business time, in UTC."""
    moment: datetime = await pool.fetchval(NOW)
    return moment
