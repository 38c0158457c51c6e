"""Notifications from PostgreSQL, on a connection of their own that comes back when it was lost.

Whoever relies on notifications hears `on_gap` first: what was announced while nobody listened is
unknown, so caches are dropped and waiters look again. It is told whether anybody listens now.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import asyncpg
import structlog

from edge.database import store
from edge.database.pool import AWAY

_PING_EVERY_S: Final = 5.0
_ANSWER_S_MAX: Final = 5.0
_RETRY_DELAY_S: Final = 0.5
_log = structlog.get_logger()


class Listener:
    """`channels` maps a channel to what is called with each payload."""

    def __init__(
        self,
        dsn: str,
        channels: Mapping[str, Callable[[str], None]],
        *,
        on_gap: Callable[[bool], None],
    ) -> None:
        self._dsn = dsn
        self._channels = channels
        self._on_gap = on_gap
        self._task: asyncio.Task[None] | None = None
        self.is_listening = False

    def start(self) -> None:
        """Begin to listen, in a task of its own."""
        self._task = asyncio.create_task(self._run(), name="listener")

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (*AWAY, asyncpg.PostgresError) as error:
                _log.warning("listener_lost", error=type(error).__name__)
            finally:
                self.is_listening = False
                self._on_gap(False)
            await asyncio.sleep(_RETRY_DELAY_S)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(
            self._dsn,
            timeout=_ANSWER_S_MAX,
            command_timeout=_ANSWER_S_MAX,
            server_settings={"application_name": "amply edge listener"},
        )
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda *_: lost.set())
            for channel in self._channels:
                await connection.add_listener(channel, self._hear)
            self.is_listening = True
            self._on_gap(True)
            while not lost.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(_PING_EVERY_S):
                        await lost.wait()
                if not lost.is_set():
                    # A connection whose other end vanished says nothing until it is asked.
                    await store.ping(connection)
        finally:
            connection.terminate()

    def _hear(self, _connection: Any, _pid: int, channel: str, payload: Any) -> None:
        self._channels[channel](str(payload))
