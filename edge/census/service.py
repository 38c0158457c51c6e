"""Who was counted by the newest census of a tree, and the proof of it.

A census's tree is computed out of the stored chains once and kept, at about 200 bytes an
organization; a chain that the census did not count that way proves nothing, and is told in the log.
"""

import asyncio
from typing import Any, Final

import structlog

from edge.census import store
from edge.database.pool import Database
from edge.errors import ProblemError
from edge.published_log import PublishedLog, size_of
from ledger.membership import CensusError, Members, Membership

#: An export pinned to an older size may ask for the census before the newest.
KEPT_MAX: Final = 2
_RETRY_AFTER: Final = {"Retry-After": "1"}
_log = structlog.get_logger()


class Censuses:
    """Proofs of membership in one log's censuses."""

    def __init__(self, database: Database, log: PublishedLog) -> None:
        self._database = database
        self._log = log
        self._kept: dict[int, Members | None] = {}
        self._computing = asyncio.Lock()

    async def membership(self, organization: str, size: int) -> Membership | None:
        """The proof in the newest census of a tree of `size`; None when it does not count it."""
        async with self._database.connection() as connection:
            newest = await store.newest(connection, self._log.number, size)
        if newest is None:
            return None
        async with self._computing:  # Everybody's first export after a census asks at once.
            if newest["index"] not in self._kept:
                self._kept[newest["index"]] = await self._count(newest["index"], newest["bytes"])
                if len(self._kept) > KEPT_MAX:
                    del self._kept[min(self._kept)]
        members = self._kept.get(newest["index"])
        return None if members is None else members.prove(organization)

    async def proof(self, organization: str) -> dict[str, Any]:
        """The newest published checkpoint, and the census in it; ProblemError 404 without one."""
        note = self._log.note()
        if note is None:
            raise ProblemError("not_counted", headers=_RETRY_AFTER)
        size = size_of(note)
        membership = await self.membership(organization, size)
        if membership is None:
            raise ProblemError("not_counted")
        return {
            "object": "census_proof",
            "organization": organization,
            "checkpoint": note,
            "census": membership.spell(self._log.proofs(size), size),
        }

    async def _count(self, index: int, entry: bytes) -> Members | None:
        async with self._database.connection() as connection:
            heads = await store.heads(connection, self._log.number, index)
        try:
            return await asyncio.to_thread(Members, index, entry, heads)
        except CensusError as error:
            _log.critical("census_disagrees", reason=str(error))
            return None
