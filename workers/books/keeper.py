"""The process `books`: the sums behind the writer."""

from typing import Final

from workers.books.projector import Projector
from workers.runtime.health import Health
from workers.runtime.process import running
from workers.settings import Settings

LOG: Final = 0


async def run(settings: Settings) -> None:
    """Keep the books until told to stop."""
    projector = Projector(settings.postgres, LOG)
    health = Health()
    health.checks["summing_up"] = projector.is_following
    async with running(settings, health) as stopping:
        await projector.run(stopping, health)
