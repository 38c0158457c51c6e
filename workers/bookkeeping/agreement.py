"""Before the first append: the stored log must continue the published one.

Rules: nothing is appended to a log that has fewer entries than its newest published checkpoint, or
another root at that size, such as a database that was restored from an old backup: what would be
appended could never be signed, and readers would see a fork. Only the tail after the checkpoint is
hashed again when the published tiles lead to its root; else all stored leaves are.
"""

import asyncio
from pathlib import Path
from typing import Final

import structlog

from amply_verify.errors import InvalidError
from amply_verify.note import Checkpoint, parse_checkpoint, split_note
from ledger.chain import LogState
from ledger.store import checkpoints
from ledger.store.connection import AnyConnection
from ledger.tiles import Growth

NAME: Final = "bookkeeping"
RUNBOOK: Final = 'do what the runbook says under "The log does not match"'

_log = structlog.get_logger(NAME)


class PublishedOtherwiseError(RuntimeError):
    """What is stored does not continue what was published. Nothing may be appended to it."""


async def check(connection: AnyConnection, state: LogState, folder: Path | None) -> None:
    """Compare with the checkpoint in the folder of the log's public files.

    Raises PublishedOtherwiseError. The caller holds the pen, so no later checkpoint exists.
    """
    published = None if folder is None else await asyncio.to_thread(_read, folder, state.origin)
    if folder is None or published is None:
        if state.size:
            _log.warning("published_log_not_compared", folder=str(folder), size=state.size)
        return
    if state.size < published.size:
        raise PublishedOtherwiseError(
            f"the database holds {state.size} entries, {published.size} are published: {RUNBOOK}"
        )
    if not await _leads_to(connection, state, published, folder):
        raise PublishedOtherwiseError(
            f"the first {published.size} entries are not those that were published: {RUNBOOK}"
        )


async def _leads_to(
    connection: AnyConnection, state: LogState, published: Checkpoint, folder: Path
) -> bool:
    root = state.frontier.root()
    if state.size == published.size:
        return root == published.root
    growth = await asyncio.to_thread(
        Growth.resume, published.size, lambda path: _file(folder, path)
    )
    if growth is None or growth.root() != published.root:
        # The tiles were replaced or are being published: the stored leaves decide.
        found = await checkpoints.root_of(connection, state.log, published.size)
        return found == published.root
    async for entries in checkpoints.entries(connection, state.log, published.size, state.size):
        growth.extend(entries)
    return growth.root() == root


def _read(folder: Path, origin: str) -> Checkpoint | None:
    note = _file(folder, "checkpoint")
    if note is None:
        return None
    try:
        published = parse_checkpoint(split_note(note.decode())[0])
    except (InvalidError, UnicodeDecodeError) as error:
        raise PublishedOtherwiseError(
            f"{folder / 'checkpoint'} is no checkpoint: {error}"
        ) from error
    if published.origin != origin:
        raise PublishedOtherwiseError(
            f"{folder / 'checkpoint'} is of {published.origin}, this log is {origin}"
        )
    return published


def _file(folder: Path, path: str) -> bytes | None:
    try:
        return (folder / path).read_bytes()
    except FileNotFoundError:
        return None
