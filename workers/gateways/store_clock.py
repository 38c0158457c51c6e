"""How far the sandbox's business clock is ahead of the real one."""

from datetime import timedelta
from typing import Final

from workers.gateways.database import Pool

AHEAD: Final = "SELECT now - clock_timestamp() FROM read.business_clock"


async def ahead(pool: Pool) -> timedelta:
    """Zero until somebody moves it; it never shrinks."""
    by: timedelta = await pool.fetchval(AHEAD)
    return by
