"""A witness to test with: C2SP tlog-witness v1.0.0 in memory, with faults.

tests/thirdparty/test_witness.py holds it to the same contract as the real one.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from amply_verify.canonical import from_base64
from amply_verify.errors import NoteError, ProofError
from amply_verify.note import COSIGNATURE, Checkpoint, Signer, VerifierKey, open_checkpoint
from amply_verify.tree import EMPTY_ROOT, verify_consistency

_OLD = re.compile(r"old (0|[1-9][0-9]*)").fullmatch


@dataclass
class StandIn:
    """`logs` maps origins to trusted keys; `known` what was cosigned last.

    `instead`, when set, is answered to everything; nothing is answered before `held` is set.
    """

    signer: Signer
    logs: Mapping[str, VerifierKey]
    known: dict[str, Checkpoint] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    instead: web.Response | None = None
    held: asyncio.Event | None = None
    clock_skew_s: int = 0
    url: str = ""

    async def add_checkpoint(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.requests.append(body)
        if self.held is not None:
            await self.held.wait()
        if self.instead is not None:
            copy = self.instead
            return web.Response(status=copy.status, body=copy.body, headers=copy.headers)
        head, _, note = body.partition("\n\n")
        return self.answer(head.split("\n"), note)

    def answer(self, head: list[str], note: str) -> web.Response:
        old = _OLD(head[0])
        if old is None or len(head) > 64:
            return web.Response(status=400)
        key = self.logs.get(note.partition("\n")[0])
        if key is None:
            return web.Response(status=404)
        try:
            checkpoint, _ = open_checkpoint(note, key)
        except NoteError:
            return web.Response(status=403)
        old_size, known = int(old[1]), self.known.get(key.name, Checkpoint(key.name, 0, EMPTY_ROOT))
        if old_size > checkpoint.size:
            return web.Response(status=400)
        if old_size != known.size:
            headers = {"Content-Type": "text/x.tlog.size"}
            return web.Response(status=409, body=f"{known.size}\n".encode(), headers=headers)
        try:
            proof = [from_base64(line) for line in head[1:]]
            verify_consistency(known.size, known.root, checkpoint.size, checkpoint.root, proof)
        except ProofError:
            return web.Response(status=422)
        self.known[key.name] = checkpoint
        return web.Response(text=self.cosign(checkpoint))

    def cosign(self, checkpoint: Checkpoint) -> str:
        return self.signer.line(checkpoint.text, int(time.time()) + self.clock_skew_s)


def stand_in(name: str, *logs: VerifierKey) -> StandIn:
    signer = Signer(f"{name}.witness.test", name.encode().ljust(32, b"w"), COSIGNATURE)
    return StandIn(signer, {log.name: log for log in logs})


@asynccontextmanager
async def serve(witness: StandIn) -> AsyncIterator[StandIn]:
    application = web.Application()
    application.router.add_post("/w/add-checkpoint", witness.add_checkpoint)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        witness.url = f"http://127.0.0.1:{runner.addresses[0][1]}/w/"
        yield witness
    finally:
        await runner.cleanup()
