"""Signs the heads of the audit chains, and keeps them in a file outside the database.

Rules: signed is only a chain that was read back, hashed again and found to go on from its anchor;
one that does not is left as it is, told, and stops no other. The file is replaced whole, on disk
before it counts. A file that the log's keys did not sign is not written over.
"""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg
import structlog
from prometheus_client import Gauge

from ledger import audit_anchor
from ledger.audit import AuditError
from ledger.audit_anchor import Anchor, AnchorError
from ledger.checkpoint import Signer
from ledger.entry import spell_time
from ledger.key_file import KeyFileError
from ledger.store import audit_anchoring as store
from ledger.store.audit_anchoring import Ends
from ledger.store.checkpoints import TamperedError, head
from ledger.store.connection import AnyConnection
from topics.sessions import DATABASE_ERRORS
from workers.checkpoints.keys import KeyMissingError, Keys
from workers.runtime.calls import wait

#: How much of a chain's end can be cut off unseen.
PERIOD_S: Final = 60.0

_log = structlog.get_logger("anchors")
_refused = Gauge("audit_anchors_refused", "Audit chains that do not go on from their anchor")
_failing = Gauge("audit_anchors_failing", "1 after a round of anchoring that did not end")
_finished = Gauge("audit_anchored_timestamp_seconds", "When the last round ended, Unix time")


class Anchoring:
    """Runs until `stopping` is set, in the process that holds the log's keys."""

    def __init__(self, dsn: str, keys: Keys, path: Path, log: int) -> None:
        self._dsn = dsn
        self._keys = keys
        self._path = path
        self._number = log

    async def run(self, stopping: asyncio.Event) -> None:
        """Anchor once a period, through restarts of the database."""
        while not stopping.is_set():
            try:
                connection = await asyncpg.connect(self._dsn, timeout=10, command_timeout=60)
                try:
                    await self.anchor(connection)
                finally:
                    connection.terminate()
                _failing.set(0)
                _finished.set_to_current_time()
            except (AnchorError, KeyFileError, KeyMissingError, TamperedError) as error:
                _failing.set(1)
                _log.critical("cannot_anchor", reason=str(error))
            except DATABASE_ERRORS as error:
                _failing.set(1)
                _log.warning("anchoring_interrupted", error=type(error).__name__)
            await wait(stopping, PERIOD_S)

    async def anchor(self, connection: AnyConnection) -> list[str]:
        """Anchor what has moved; the chains that do not go on from their anchors."""
        size = (await head(connection, self._number)).size
        signer = (await self._keys.at(connection, self._number, size))[-1]
        known = audit_anchor.read(self._read(), [one.key for one in self._keys.signers])
        stored = await store.chains(connection)
        notes = {chain: note for chain, (_, note) in known.items()}
        refused = sorted(set(known) - set(stored))
        for chain, ends in stored.items():
            before, note = known.get(chain, (None, None))
            if before is not None and before.head == ends.head and _is_by(signer, note):
                continue
            try:
                notes[chain] = await self._sign(connection, chain, ends, before, signer)
            except AuditError as error:
                _log.critical("not_anchored", chain=chain, seq=error.seq, reason=str(error))
                refused.append(chain)
        if notes != {chain: note for chain, (_, note) in known.items()}:
            await asyncio.to_thread(_replace, self._path, audit_anchor.write(notes.values()))
        _refused.set(len(refused))
        return refused

    async def _sign(
        self,
        connection: AnyConnection,
        chain: str,
        ends: Ends,
        before: Anchor | None,
        signer: Signer,
    ) -> str:
        await store.follow(connection, chain, ends, before)
        anchor = Anchor(chain, ends.head, spell_time(datetime.now(UTC)))
        return await asyncio.to_thread(audit_anchor.sign, signer, anchor)

    def _read(self) -> bytes:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            _log.warning("anchors_begin", reason="there is no file of anchors yet")
            return b""


def _is_by(signer: Signer, note: str | None) -> bool:
    return note is not None and audit_anchor.is_signed_by(note, signer)


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.new")
    with temporary.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
