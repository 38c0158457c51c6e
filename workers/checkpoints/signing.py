"""One log's way from recorded to public, step by step, so that each step can be repeated."""

import asyncio
from collections.abc import Sequence
from typing import Final

import asyncpg
import structlog
from prometheus_client import Gauge

from contracts.checkpoints import CheckpointPublished
from contracts.identifiers import business_id
from contracts.message import Envelope
from ledger.checkpoint import sign, verifier_key_file
from ledger.publication import Publication, PublicationError
from ledger.store import checkpoints as store
from ledger.store import witnesses
from ledger.store.checkpoints import SignedCheckpoint, TamperedError
from ledger.store.connection import AnyConnection
from ledger.tiles import File, Growth, paths_of
from topics import outbox
from topics.failpoints import reach
from topics.registry import CHECKPOINTS_PUBLISHED
from workers.checkpoints.keys import Keys

NAME: Final = "checkpoints"

_log = structlog.get_logger(NAME)
_size = Gauge("ledger_checkpoint_size", "Entries in the newest published checkpoint")


class Signing:
    """Signs and publishes one log. `restore` comes first, once."""

    def __init__(
        self, connection: AnyConnection, publication: Publication, keys: Keys, log: int
    ) -> None:
        self._connection = connection
        self._publication = publication
        self._keys = keys
        self._number = log
        self._growth = Growth()
        self._witnessed: str | None = None

    async def restore(self) -> None:
        """Continue where the last publisher was stopped, whatever files it left.

        Raises TamperedError when the stored entries do not lead to what was signed.
        """
        published = await store.last_published(self._connection, self._number)
        if published is not None:
            growth = await asyncio.to_thread(self._resume, published)
            self._growth = growth or await self._rebuild(published)
            await self._write_head(published)
        newest = await store.newest(self._connection, self._number)
        if newest is not None and newest.size > self._growth.size:
            grown, files = await self._grow(newest.size)
            if grown.root() != newest.root:
                raise TamperedError(f"the entries do not lead to the root signed at {newest.size}")
            await self._publish(newest, grown, files)

    async def advance(self) -> bool:
        """Sign and publish what was recorded since; False when nothing was."""
        head = await store.head(self._connection, self._number)
        if head.size == self._growth.size:
            return False
        if head.size < self._growth.size:
            raise TamperedError(f"the log has {head.size} entries and had {self._growth.size}")
        grown, files = await self._grow(head.size)
        if grown.root() != head.root:
            raise TamperedError(f"the entries do not lead to the writer's root at {head.size}")
        signers = await self._keys.at(self._connection, self._number, head.size)
        note = await asyncio.to_thread(sign, signers, head.size, head.root)
        try:
            checkpoint = await store.insert(self._connection, self._number, head, note)
        except asyncpg.CheckViolationError as error:
            raise PublicationError("another process signs this log") from error
        reach("checkpoints.signed")
        await self._publish(checkpoint, grown, files)
        return True

    async def publish_witnessed(self) -> None:
        """Publish what enough witnesses cosigned, as the process that asks them stored it.

        It is done here because one process writes the log's files, and no other.
        """
        note = await witnesses.witnessed_note(self._connection, self._number)
        if note is None or note == self._witnessed:
            return
        await asyncio.to_thread(
            self._publication.write_all, [("checkpoint.witnessed", note.encode())]
        )
        self._witnessed = note

    async def _grow(self, size: int) -> tuple[Growth, list[File]]:
        """The log's edge at `size`, from re-hashed entries, and the files on the way there."""
        grown = self._growth.copy()
        files: list[File] = []
        entries = store.entries(self._connection, self._number, grown.size, size)
        async for chunk in entries:
            files += grown.extend(chunk)
        return grown, _needed(files)

    async def _publish(
        self, checkpoint: SignedCheckpoint, grown: Growth, files: Sequence[File]
    ) -> None:
        await asyncio.to_thread(
            self._publication.write_all, [(file.path, file.data) for file in files]
        )
        reach("checkpoints.tiles_written")
        await self._write_head(checkpoint)
        reach("checkpoints.published")
        self._growth = grown
        await self._tell(checkpoint)
        # After the new checkpoint: whoever holds an older one finds the full tiles in their place.
        full = [file.path for file in files if file.is_full]
        await asyncio.to_thread(self._publication.remove_partials, full)
        _size.set(checkpoint.size)

    async def _write_head(self, checkpoint: SignedCheckpoint) -> None:
        newest = await self._keys.newest_at(self._connection, self._number, checkpoint.size)
        key = verifier_key_file(newest)
        files = [("checkpoint", checkpoint.note.encode())]
        if self._publication.read("vkey") != key:
            files.append(("vkey", key))
        await asyncio.to_thread(self._publication.write_all, files)

    async def _tell(self, checkpoint: SignedCheckpoint) -> None:
        origin = self._keys.origin
        message = Envelope(
            id=business_id(checkpoint.signed_at, f"checkpoint:{origin}:{checkpoint.size}"),
            type=CHECKPOINTS_PUBLISHED.name,
            time=checkpoint.signed_at,
            organization=await store.platform(self._connection, self._number),
            cause=None,
            body=CheckpointPublished(
                log=self._number,
                origin=origin,
                size=checkpoint.size,
                root=checkpoint.root.hex(),
                note=checkpoint.note,
            ),
        )
        async with self._connection.transaction():
            await store.mark_published(self._connection, self._number, checkpoint.size)
            record = outbox.prepare(NAME, CHECKPOINTS_PUBLISHED, message)
            await outbox.queue(self._connection, [record])

    def _resume(self, checkpoint: SignedCheckpoint) -> Growth | None:
        """The edge out of the published files; None when any file is missing or not right."""
        missing = self._publication.missing(paths_of(checkpoint.size))
        if missing:
            _log.warning("files_missing", number=len(missing), size=checkpoint.size)
            return None
        growth = Growth.resume(checkpoint.size, self._publication.read)
        if growth is None or growth.root() != checkpoint.root:
            _log.warning("files_wrong", size=checkpoint.size)
            return None
        return growth

    async def _rebuild(self, checkpoint: SignedCheckpoint) -> Growth:
        """Write the files anew, those that earlier published sizes still need included."""
        root = await store.root_of(self._connection, self._number, checkpoint.size)
        if root != checkpoint.root:
            raise TamperedError(f"the leaves do not lead to the root signed at {checkpoint.size}")
        growth = Growth()
        for size in await store.published_sizes(self._connection, self._number):
            files: list[File] = []
            entries = store.entries(self._connection, self._number, growth.size, size)
            async for chunk in entries:
                files += growth.extend(chunk)
            kept = [
                (file.path, file.data)
                for file in _needed(files)
                if not file.is_superseded(checkpoint.size)
            ]
            await asyncio.to_thread(self._publication.write_all, kept)
        _log.info("files_rebuilt", size=growth.size)
        return growth


def _needed(files: Sequence[File]) -> list[File]:
    """Of each tile the widest: the others belong to sizes between two chunks."""
    return list({(file.level, file.number): file for file in files}.values())
