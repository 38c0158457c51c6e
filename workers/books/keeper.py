"""The process `books`: the sums behind the writer, and the check of everything once a day."""

import asyncio
from typing import Final

from workers.books.checker import PERIOD_S, Checker
from workers.books.projector import Projector
from workers.runtime.health import Health
from workers.runtime.process import running
from workers.settings import Settings, required, seconds

LOG: Final = 0


async def run(settings: Settings) -> None:
    """Keep the books until told to stop."""
    variables = settings.variables
    origin = required(variables, "AMPLY_LOG_ORIGIN", "the log's origin, <host>/log/0")
    public = required(variables, "AMPLY_PUBLIC", "the folder or address of public files")
    period_s = seconds(variables, "AMPLY_CHECK_S", PERIOD_S)
    projector = Projector(settings.postgres, LOG)
    checker = Checker(settings.postgres, LOG, origin, f"{public}/log/{LOG}", period_s)
    health = Health()
    health.checks["summing_up"] = projector.is_following
    async with running(settings, health) as stopping, asyncio.TaskGroup() as tasks:
        tasks.create_task(projector.run(stopping, health))
        tasks.create_task(checker.run(stopping, health))
