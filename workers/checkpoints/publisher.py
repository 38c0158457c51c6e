"""Signs what the writer recorded, and publishes it: tiles, then the checkpoint that needs them.

Rules: signed is only what was read back and hashed again, and whose root is the writer's; a size is
claimed in the database before anybody sees its note; what a crash left unpublished is published
first. What is stored and what was hashed differing is never signed over: nothing more is published,
and this process stays up to say so.
"""

import asyncio
import time
from pathlib import Path
from typing import Any, Final

import asyncpg
import structlog
from prometheus_client import Gauge

from ledger.key_file import KeyFileError
from ledger.publication import Directory, PublicationError
from ledger.store.checkpoints import TamperedError
from topics.sessions import DATABASE_ERRORS
from workers.checkpoints.anchoring import Anchoring
from workers.checkpoints.keys import KeyMissingError, Keys, key_file
from workers.checkpoints.signing import NAME, Signing
from workers.runtime.calls import wait
from workers.runtime.failures import delays
from workers.runtime.health import Health
from workers.runtime.process import running
from workers.settings import SettingError, Settings, required

LOG: Final = 0
#: The least time between two checkpoints while entries keep coming.
INTERVAL_S_MIN: Final = 0.2
#: How long a missed notification can delay a checkpoint.
POLL_S: Final = 1.0
TAMPERED_RETRY_S: Final = 10.0
#: How soon a key is used that was put into the key file after the log announced it.
KEY_RETRY_S: Final = 2.0

_log = structlog.get_logger(NAME)
_key_missing = Gauge("ledger_signing_key_missing", "1 while the log asks for a key not held")
_refusing = Gauge("ledger_refusing_to_sign", "1 while stored entries are not what was recorded")


async def run(settings: Settings) -> None:
    """Publish until told to stop."""
    origin = required(settings.variables, "AMPLY_LOG_ORIGIN", "the log's origin, <host>/log/0")
    keys = Keys(origin, key_file(settings, origin))
    try:
        await keys.load()
    except KeyFileError as error:
        raise SettingError(f"AMPLY_LOG_KEY: {error}") from error
    public = required(settings.variables, "AMPLY_PUBLIC", "the folder of public files")
    publisher = _Publisher(settings.postgres, keys, Path(public, "log", str(LOG)))
    anchors = required(settings.variables, "AMPLY_AUDIT_ANCHORS", "the file of audit anchors")
    anchoring = Anchoring(settings.postgres, keys, Path(anchors), LOG)
    health = Health()
    health.checks["publishing"] = publisher.is_publishing
    async with running(settings, health) as stopping:
        await asyncio.gather(publisher.run(stopping, health), anchoring.run(stopping))


class _Publisher:
    def __init__(self, dsn: str, keys: Keys, folder: Path) -> None:
        self._dsn = dsn
        self._keys = keys
        self._folder = folder
        self._wake = asyncio.Event()
        self._publishing = False

    async def is_publishing(self) -> bool:
        """Whether the last look at the log ended well."""
        return self._publishing

    async def run(self, stopping: asyncio.Event, health: Health) -> None:
        """Publish through restarts of the database, and stay up when nothing may be signed."""
        waker = asyncio.create_task(self._wake_when(stopping))
        pauses = delays(0.2, 5.0)
        while not stopping.is_set():
            pause_s = next(pauses)
            try:
                await self._publish(stopping, health)
            except TamperedError as error:
                _refusing.set(1)
                _log.critical("refused_to_sign", reason=str(error), again_in_s=TAMPERED_RETRY_S)
                pause_s = TAMPERED_RETRY_S
            except (KeyMissingError, KeyFileError) as error:
                _key_missing.set(1)
                _log.critical("cannot_sign", reason=str(error), again_in_s=KEY_RETRY_S)
                pause_s = KEY_RETRY_S
            except PublicationError as error:
                _log.error("cannot_publish", reason=str(error), again_in_s=pause_s)
            except DATABASE_ERRORS as error:
                _log.warning("publisher_interrupted", error=type(error).__name__)
            self._publishing = False
            health.pulse()
            await wait(stopping, pause_s)
        waker.cancel()

    async def _wake_when(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._wake.set()

    async def _publish(self, stopping: asyncio.Event, health: Health) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=10, command_timeout=60)
        try:
            directory = await asyncio.to_thread(Directory, self._folder)
            try:
                signing = Signing(connection, directory, self._keys, LOG)
                await connection.add_listener("ledger_appended", self._appended)
                await signing.restore()
                while not stopping.is_set():
                    await self._look(signing, health)
            finally:
                directory.close()
        finally:
            connection.terminate()

    async def _look(self, signing: Signing, health: Health) -> None:
        # Cleared before looking: an append after the look wakes the next round.
        self._wake.clear()
        started = time.monotonic()
        published = await signing.advance()
        await signing.publish_witnessed()
        self._publishing = True
        _refusing.set(0)
        _key_missing.set(0)
        health.pulse()
        if published:
            await asyncio.sleep(max(0.0, started + INTERVAL_S_MIN - time.monotonic()))
        await wait(self._wake, POLL_S)

    def _appended(self, *notification: Any) -> None:
        self._wake.set()
