"""Inclusion and consistency proofs of any entry and any two sizes, out of the published tiles.

Every size up to the newest published one is answered, signed or not: the tiles are public, so
anyone can compute the same, and whoever holds a checkpoint that we never published is shown that it
does not fit, not told to go away. Trust comes from a signature alone, so an answer carries the
signed note of its size, or null. Every answer is checked, up to the root of the newest checkpoint,
before it is sent: anybody may keep it for ever.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

import structlog

from amply_verify import tree
from amply_verify.canonical import to_base64
from amply_verify.errors import ProofError
from amply_verify.note import Checkpoint, parse_checkpoint, split_note
from amply_verify.tiles import TileTree
from edge.database.pool import Database
from edge.errors import ProblemError
from edge.proofs import store
from edge.published_log import PublishedLog
from ledger.membership import spell_proof

_log = structlog.get_logger()
_RETRY_AFTER: Final = {"Retry-After": "5"}


class _Inclusion(NamedTuple):
    root: bytes
    proof: list[bytes]
    leaf: bytes


class _Consistency(NamedTuple):
    root: bytes
    proof: list[bytes]
    old_root: bytes


FoundT = TypeVar("FoundT", _Inclusion, _Consistency)


class Proofs:
    """Proofs in the published tree of one log."""

    def __init__(self, database: Database, log: PublishedLog) -> None:
        self._database = database
        self._log = log

    async def inclusion(self, index: int, size: int) -> dict[str, Any]:
        """That the entry at `index` is in the tree of `size`; ProblemError for a size to come."""
        note, newest = self._covering(size)
        found = await self._read(newest, size, lambda tiles: _prove_inclusion(tiles, index, size))
        return {
            "object": "inclusion_proof",
            "log": self._log.number,
            "index": index,
            "size": size,
            "leaf_hash": to_base64(found.leaf),
            "proof": spell_proof(found.proof),
            "root": to_base64(found.root),
            "checkpoint": await self._signed(size, note, newest, found.root),
        }

    async def consistency(self, old: int, new: int) -> dict[str, Any]:
        """That the tree of `old` is a prefix of that of `new`; ProblemError for a size to come."""
        note, newest = self._covering(new)
        found = await self._read(newest, new, lambda tiles: _prove_consistency(tiles, old, new))
        return {
            "object": "consistency_proof",
            "log": self._log.number,
            "old": old,
            "new": new,
            "old_root": to_base64(found.old_root),
            "proof": spell_proof(found.proof),
            "root": to_base64(found.root),
            "checkpoint": await self._signed(new, note, newest, found.root),
        }

    def _covering(self, size: int) -> tuple[str, Checkpoint]:
        note = self._log.note()
        if note is None:
            raise ProblemError("size_not_published", "No checkpoint is published yet.")
        newest = parse_checkpoint(split_note(note)[0])
        if size > newest.size:
            raise ProblemError(
                "size_not_published",
                f"The newest checkpoint is of {newest.size} entries: ask for a size up to it.",
            )
        return note, newest

    async def _read(
        self, newest: Checkpoint, size: int, prove: Callable[[TileTree], FoundT]
    ) -> FoundT:
        def work() -> FoundT:
            tiles = self._log.proofs(newest.size)
            found = prove(tiles)
            way = tiles.prove_consistency(size)
            tree.verify_consistency(size, found.root, newest.size, newest.root, way)
            return found

        # In a thread: tiles that nobody asked for lately come from the disk.
        try:
            return await asyncio.to_thread(work)
        except ProofError as error:
            raise self._spoilt(str(error)) from error

    async def _signed(self, size: int, note: str, newest: Checkpoint, root: bytes) -> str | None:
        if size == newest.size:
            return note
        async with self._database.connection() as connection:
            found = await store.note(connection, self._log.number, size)
        if found is not None and parse_checkpoint(split_note(found)[0]).root != root:
            raise self._spoilt(f"the tiles have another root than the checkpoint of {size}")
        return found

    def _spoilt(self, reason: str) -> ProblemError:
        _log.critical("published_tiles_wrong", reason=reason)
        self._log.tiles.forget()  # They may be written anew.
        return ProblemError("unavailable", headers=_RETRY_AFTER)


def _prove_inclusion(tiles: TileTree, index: int, size: int) -> _Inclusion:
    found = _Inclusion(tiles.root(size), tiles.prove_inclusion(index, size), tiles.leaf(index))
    tree.verify_inclusion(found.leaf, index, size, found.proof, found.root)
    return found


def _prove_consistency(tiles: TileTree, old: int, new: int) -> _Consistency:
    # Every tree continues the empty one: nothing is to be proven, and RFC 6962 has no such proof.
    proof = tiles.prove_consistency(old, new) if old else []
    found = _Consistency(tiles.root(new), proof, tiles.root(old))
    tree.verify_consistency(old, found.old_root, new, found.root, proof)
    return found
