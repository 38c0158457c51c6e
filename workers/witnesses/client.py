"""Asking one witness about one checkpoint over HTTP.

Rules: no redirect is followed; time and size of an answer are bounded; what a witness claims to
know of this log is compared with everything that was ever signed, before it is sent a proof.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp

from amply_verify.errors import ProofError
from amply_verify.tree import verify_consistency
from ledger.store.checkpoints import SignedCheckpoint
from ledger.tiles import TileFolder
from workers.witnesses.configuration import Witness
from workers.witnesses.decisions import (
    Answer,
    Cosigned,
    Failed,
    Failure,
    KnowsOtherSize,
    OtherHistory,
    Refused,
    Response,
    judge,
    request_body,
)

#: Two requests of this length end before a process that is told to stop must have ended.
TIMEOUT_S: Final = 8.0
RESPONSE_BYTES_MAX: Final = 16_384

SignedRoot = Callable[[int], Awaitable[bytes | None]]
"""size -> the root that this log signed at it; None when it never signed that size."""


@asynccontextmanager
async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
    """What requests are made with: no cookies, no proxies of the environment, no compression.

    A few compressed bytes can become many, before anything here could count them.
    """
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
    ) as session:
        yield session


class Client:
    """Asks about one published checkpoint; `folder` holds the log's files."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        checkpoint: SignedCheckpoint,
        folder: Path,
        signed_root: SignedRoot,
    ) -> None:
        self._session = session
        self._checkpoint = checkpoint
        self._folder = folder
        self._signed_root = signed_root

    async def ask(self, witness: Witness, old_size: int) -> Cosigned | Failure:
        """What the witness says, asked from the size that it is believed to know."""
        answer = await self._ask_from(witness, old_size)
        if not isinstance(answer, KnowsOtherSize):
            return answer
        answer = await self._ask_from(witness, answer.size)
        return Failed("it is asked by others too") if isinstance(answer, KnowsOtherSize) else answer

    async def _ask_from(self, witness: Witness, old_size: int) -> Answer:
        proof = await self._prove(old_size)
        if not isinstance(proof, list):
            return proof
        try:
            response = await self._post(
                witness.url, request_body(old_size, proof, self._checkpoint.note)
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Failed(type(error).__name__)
        if isinstance(response, Refused):
            return response
        return judge(response, self._checkpoint.note, witness.key, time.time())

    async def _prove(self, old_size: int) -> list[bytes] | Failure:
        """A proof that the witness will believe, if its checkpoint is one of ours."""
        checkpoint = self._checkpoint
        if old_size == 0:
            return []
        old_root = await self._signed_root(old_size)
        if old_root is None:
            return OtherHistory(f"it knows a size that this log never signed: {old_size}")
        if old_size > checkpoint.size:
            return Failed(f"it knows a newer checkpoint already: {old_size}")
        try:
            proof = await asyncio.to_thread(self._read_proof, old_size)
            verify_consistency(old_size, old_root, checkpoint.size, checkpoint.root, proof)
        except ProofError as error:
            return Failed(f"our own files do not lead from {old_size} to the checkpoint: {error}")
        return proof

    def _read_proof(self, old_size: int) -> list[bytes]:
        size = self._checkpoint.size
        if old_size == size:
            return []
        return TileFolder(self._folder).tree(size).prove_consistency(old_size)

    async def _post(self, url: str, body: bytes) -> Response | Refused:
        headers = {"Content-Type": "application/octet-stream"}
        async with self._session.post(
            url, data=body, headers=headers, allow_redirects=False
        ) as response:
            try:
                await response.content.readexactly(RESPONSE_BYTES_MAX + 1)
            except asyncio.IncompleteReadError as all_of_it:
                return Response(response.status, response.content_type, all_of_it.partial)
            return Refused(f"it answers with more than {RESPONSE_BYTES_MAX} bytes")
