"""Asks all witnesses about the newest published checkpoint, round after round.

Rules: witnesses are asked at the same time, and each answer counts when it comes: one that is down
delays nothing. Nothing here keeps the log from growing or being published. That a witness saw
another history is said until somebody restarts the process, whatever the witness says later.
"""

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg
import structlog
from prometheus_client import Counter, Gauge

from ledger.store import witnesses as store
from ledger.store.checkpoints import SignedCheckpoint, last_published
from topics.sessions import DATABASE_ERRORS
from workers.gateways.database import open_pool
from workers.runtime.calls import wait
from workers.runtime.health import Health
from workers.runtime.process import running
from workers.settings import Settings, required
from workers.witnesses.client import Client, open_session
from workers.witnesses.configuration import Configuration, Witness, load
from workers.witnesses.decisions import (
    SILENT_AFTER_S,
    Cosigned,
    Failure,
    OtherHistory,
    Refused,
    refused_pause_s,
)

NAME: Final = "witnesses"
LOG: Final = 0

_log = structlog.get_logger(NAME)
_age = Gauge("witness_age_seconds", "Since the witness last cosigned", ["witness"])
_failures = Counter("witness_failures", "Times asked without a cosignature", ["witness", "answer"])
_other = Gauge("witness_saw_another_history", "1 once a witness said so", ["witness"])
_size = Gauge("ledger_witnessed_size", "Entries in the newest checkpoint that met the policy")


async def run(settings: Settings) -> None:
    """Ask until told to stop."""
    configuration = load(settings.variables)
    public = required(settings.variables, "AMPLY_PUBLIC", "the folder of public files")
    health = Health()
    pool = open_pool({"AMPLY_POSTGRES": settings.postgres})
    async with pool as connections, open_session() as session:
        rounds = Rounds(configuration, connections, session, Path(public, "log", str(LOG)))
        health.checks["asking"] = rounds.is_asking
        health.refresh.append(rounds.measure)
        async with running(settings, health) as stopping:
            await rounds.run(stopping, health)


@dataclass(slots=True)
class _Known:
    """What is remembered of a witness; times are monotonic, but for `cosigned_at_s`."""

    size: int = 0
    cosigned_at_s: float = field(default_factory=time.time)
    refusals: int = 0
    not_before: float = 0.0


class Rounds:
    """`known` survives a round, so that a witness is asked from what it knows."""

    def __init__(
        self,
        configuration: Configuration,
        pool: "asyncpg.Pool[Any]",
        session: aiohttp.ClientSession,
        folder: Path,
    ) -> None:
        self._configuration = configuration
        self._pool = pool
        self._session = session
        self._folder = folder
        self._known: Mapping[str, _Known] | None = None
        self._saving = asyncio.Lock()
        self._asking = False
        for witness in configuration.witnesses:
            _other.labels(witness.name).set(0)

    async def is_asking(self) -> bool:
        """Whether the last round came to its end; what witnesses say does not matter here."""
        return self._asking

    async def measure(self) -> None:
        """Set the ages before they are read; who never cosigned is as old as this process."""
        for witness in self._configuration.witnesses:
            if self._known is not None:
                age_s = time.time() - self._known[witness.name].cosigned_at_s
                _age.labels(witness.name).set(max(0.0, age_s))

    async def run(self, stopping: asyncio.Event, health: Health) -> None:
        """One round after the other, through restarts of the database."""
        while not stopping.is_set():
            try:
                await self._round()
                self._asking = True
            except* DATABASE_ERRORS as group:
                self._asking = False
                errors = sorted({type(error).__name__ for error in group.exceptions})
                _log.warning("round_interrupted", errors=errors)
            health.pulse()
            # Spread, so that the logs of this world do not ask their witnesses in step.
            spread = random.uniform(2 / 3, 4 / 3)  # noqa: S311 - spreads requests, guards nothing
            await wait(stopping, self._configuration.interval_s * spread)

    async def _round(self) -> None:
        async with self._pool.acquire() as connection:
            checkpoint = await last_published(connection, LOG)
            if self._known is None:
                self._known = self._recall(await store.last_cosigned(connection, LOG))
        if checkpoint is None:
            return
        client = Client(self._session, checkpoint, self._folder, self._signed_root)
        cosigned: dict[str, str] = {}
        async with asyncio.TaskGroup() as group:
            for witness in self._configuration.witnesses:
                known = self._known[witness.name]
                if time.monotonic() >= known.not_before:
                    group.create_task(self._ask(client, witness, known, checkpoint, cosigned))

    def _recall(self, cosigned: Mapping[str, store.LastCosigned]) -> dict[str, _Known]:
        known = {witness.name: _Known() for witness in self._configuration.witnesses}
        for witness in self._configuration.witnesses:
            last = cosigned.get(str(witness.key))
            if last is not None:
                known[witness.name] = _Known(last.size, last.at.timestamp())
        return known

    async def _signed_root(self, size: int) -> bytes | None:
        async with self._pool.acquire() as connection:
            return await store.signed_root(connection, LOG, size)

    async def _ask(
        self,
        client: Client,
        witness: Witness,
        known: _Known,
        checkpoint: SignedCheckpoint,
        cosigned: dict[str, str],
    ) -> None:
        answer = await client.ask(witness, known.size)
        if not isinstance(answer, Cosigned):
            self._note_failure(witness, known, answer, checkpoint)
            return
        known.refusals = 0
        async with self._saving, self._pool.acquire() as connection, connection.transaction():
            cosigned[witness.name] = answer.line
            await store.save_cosignature(
                connection, LOG, str(witness.key), checkpoint.size, answer.line
            )
            if self._is_met(cosigned):
                lines = "".join(cosigned[name] for name in sorted(cosigned))
                await store.save_witnessed(connection, LOG, checkpoint.size, lines)
                _size.set(checkpoint.size)
        known.size, known.cosigned_at_s = checkpoint.size, time.time()

    def _is_met(self, cosigned: Mapping[str, str]) -> bool:
        policy = self._configuration.policy
        keys = [policy.witnesses[name] for name in cosigned]
        return policy.is_met({(key.name, key.key_id) for key in keys})

    def _note_failure(
        self, witness: Witness, known: _Known, answer: Failure, checkpoint: SignedCheckpoint
    ) -> None:
        """Count and say it; louder the longer it lasts, and loudest when histories differ."""
        silent_s = time.time() - known.cosigned_at_s
        _failures.labels(witness.name, type(answer).__name__).inc()
        about = {
            "witness": witness.name,
            "answer": type(answer).__name__,
            "reason": answer.reason,
            "size": checkpoint.size,
            "asked_from": known.size,
            "silent_s": round(silent_s),
        }
        if isinstance(answer, OtherHistory):
            _other.labels(witness.name).set(1)
            _log.critical("witness_saw_another_history", checkpoint=checkpoint.note, **about)
        elif silent_s > SILENT_AFTER_S:
            _log.error("witness_silent", **about)
        else:
            _log.warning("witness_did_not_cosign", **about)
        if isinstance(answer, Refused | OtherHistory):
            known.refusals += 1
            known.not_before = time.monotonic() + refused_pause_s(known.refusals)
