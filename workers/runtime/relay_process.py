"""The relay as a process: `topics.relay` with settings, signals and a health port."""

import time
from typing import Final

from topics.relay import Relay
from workers.runtime.health import Health
from workers.runtime.process import running
from workers.settings import Settings

LOOK_AGE_S_MAX: Final = 15.0


async def run(settings: Settings) -> None:
    """Relay until told to stop."""
    health = Health()
    looked_at = -LOOK_AGE_S_MAX

    def pulse() -> None:
        nonlocal looked_at
        looked_at = time.monotonic()
        health.pulse()

    relay = Relay(settings.postgres, settings.kafka, pulse=pulse)

    async def relaying() -> bool:
        return relay.leading and time.monotonic() - looked_at < LOOK_AGE_S_MAX

    health.checks["relaying"] = relaying
    async with running(settings, health) as stopping:
        await relay.run(stopping)
