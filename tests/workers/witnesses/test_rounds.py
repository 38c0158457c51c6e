"""The process beside the publisher: what a quorum cosigned is published, and failures are told."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiohttp import web

from amply_verify.note import Checkpoint, parse_verifier_key
from amply_verify.policy import parse_policy
from amply_verify.trust import Signed, Trust, open_trusted
from deploy.ports import free_ports
from tests.ledger.database import until
from tests.ledger.making import ORIGIN, donation, genesis, name
from tests.workers.ledger_stand import Stand
from tests.workers.witnesses.witness import StandIn, serve, stand_in

PLATFORM, A = name("org", "P"), name("org", "A")


async def grow(stand: Stand, size: int) -> None:
    before: Any = await stand.database.value("SELECT size FROM ledger.writers")
    if not before:
        await stand.database.record(genesis(PLATFORM), genesis(A))
        before = 2
    await stand.database.record(*(donation(A, number) for number in range(before, size)))
    await stand.published(size)


class Witnessed:
    """A ledger's stand with three witnesses; two of them are a quorum."""

    def __init__(self, stand: Stand, witnesses: list[StandIn]) -> None:
        self.stand = stand
        self.a, self.b, self.c = witnesses
        self.policy = stand.scratch / "policy"
        lines = [f"witness {w.signer.key.name[0]} {w.signer.key} {w.url}\n" for w in witnesses]
        self.policy.write_text("".join(lines) + "group two 2 a b c\nquorum two\n")
        self.port = free_ports(1)[0]

    @property
    def file(self) -> Path:
        return self.stand.folder / "checkpoint.witnessed"

    async def start(self) -> asyncio.subprocess.Process:
        return await self.stand.start(
            "witnesses",
            AMPLY_WITNESSES=str(self.policy),
            AMPLY_WITNESS_INTERVAL_S="1",
            AMPLY_METRICS_PORT=str(self.port),
        )

    def opened(self) -> Signed:
        """`checkpoint.witnessed` as a verifier with the policy sees it."""
        key = parse_verifier_key((self.stand.folder / "vkey").read_text().strip())
        trust = Trust(key, parse_policy(self.policy.read_text()))
        return open_trusted(self.file.read_text(), trust)

    async def published(self, size: int, *names: str) -> None:
        """Wait until a checkpoint of this size that these witnesses cosigned is public."""

        async def there() -> bool:
            if not self.file.exists():
                return False
            signed = self.opened()
            who = {one.name[0] for one in signed.cosignatures}
            return signed.checkpoint.size == size and who >= set(names)

        await until(there, f"{size} entries are witnessed by {names}")

    async def said(self, event: str) -> None:
        async def logged() -> bool:
            return event in self.stand.events()

        await until(logged, f"{event} is logged")

    async def get(self, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.port}/{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status, await response.text()

    async def metric(self, line: str) -> float:
        _, text = await self.get("metrics")
        return float(text.split(f"\n{line} ")[1].split("\n")[0])


@pytest.fixture
async def witnessed(stand: Stand) -> Any:
    await stand.start("checkpoints")
    await grow(stand, 300)
    log = parse_verifier_key((stand.folder / "vkey").read_text().strip())
    async with AsyncExitStack() as stack:
        served = [await stack.enter_async_context(serve(stand_in(n, log))) for n in "abc"]
        yield Witnessed(stand, served)


async def test_a_quorum_is_published_while_a_witness_is_down_and_joined_when_it_is_back(
    witnessed: Witnessed,
) -> None:
    stand = witnessed.stand
    witnessed.c.held = held = asyncio.Event()
    await witnessed.start()
    await witnessed.published(300, "a", "b")
    assert witnessed.file.read_text().startswith(stand.checkpoint())
    witnessed.c.instead = web.Response(status=503)
    held.set()
    await grow(stand, 600)
    await witnessed.published(600, "a", "b")
    assert any(body.startswith("old 300\n") for body in witnessed.a.requests)
    assert stand.audit(witnessed.file.read_text()).signed.checkpoint.size == 600
    await witnessed.said("witness_did_not_cosign")
    assert (await witnessed.get("readyz"))[0] == 200, "a witness that is down is no fault of ours"
    assert await witnessed.metric('witness_failures_total{answer="Failed",witness="c"}') >= 1
    silent_s = await witnessed.metric('witness_age_seconds{witness="c"}')
    assert silent_s > await witnessed.metric('witness_age_seconds{witness="a"}')
    witnessed.c.instead = None
    await witnessed.published(600, "a", "b", "c")


async def test_without_a_quorum_the_last_witnessed_checkpoint_stays(witnessed: Witnessed) -> None:
    await witnessed.start()
    await witnessed.published(300, "a", "b", "c")
    witnessed.a.signer, witnessed.b.signer = witnessed.b.signer, witnessed.a.signer
    await grow(witnessed.stand, 310)
    sql = "SELECT count(*) FROM ledger.cosignatures WHERE size = 310"
    await until(lambda: witnessed.stand.database.value(sql), "one witness cosigned")
    assert await witnessed.stand.database.value(sql) == 1, "what is signed by others does not count"
    assert await witnessed.stand.database.value("SELECT size FROM ledger.witnessed") == 300


@pytest.mark.parametrize("size", [300, 4000])
async def test_a_witness_of_another_history_alarms_and_hinders_nobody(
    witnessed: Witnessed, size: int
) -> None:
    witnessed.b.known[ORIGIN] = Checkpoint(ORIGIN, size, bytes(32))
    await witnessed.start()
    await witnessed.said("witness_saw_another_history")
    assert '"level":"critical"' in witnessed.stand.logs()
    await witnessed.published(300, "a", "c")
    assert (await witnessed.get("readyz"))[0] == 200
    assert await witnessed.metric('witness_saw_another_history{witness="b"}') == 1
    assert await witnessed.metric('witness_saw_another_history{witness="a"}') == 0
    await grow(witnessed.stand, 310)
    await witnessed.published(310, "a", "c")


async def test_a_restarted_process_asks_from_what_each_witness_cosigned_last(
    witnessed: Witnessed,
) -> None:
    first = await witnessed.start()
    await witnessed.published(300, "a", "b", "c")
    await witnessed.stand.stop(first)
    for witness in (witnessed.a, witnessed.b, witnessed.c):
        witness.requests.clear()
    witnessed.b.known.clear()  # It forgot us: asked from 300, it says 0.
    await grow(witnessed.stand, 310)
    await witnessed.start()
    await witnessed.published(310, "a", "b", "c")
    assert witnessed.a.requests[0].startswith("old 300\n")
    assert [body.split("\n")[0] for body in witnessed.b.requests[:2]] == ["old 300", "old 0"]


async def test_a_lost_file_is_published_again(witnessed: Witnessed) -> None:
    asking = await witnessed.start()
    await witnessed.published(300, "a", "b")
    await witnessed.stand.stop(asking)
    before = witnessed.file.read_text()
    witnessed.file.unlink()
    publisher = witnessed.stand.running("checkpoints")
    await witnessed.stand.stop(publisher)
    await witnessed.stand.start("checkpoints")

    async def there() -> bool:
        return witnessed.file.exists() and witnessed.file.read_text() == before

    await until(there, "the file is back")


async def test_what_is_witnessed_never_goes_back(witnessed: Witnessed) -> None:
    asking = await witnessed.start()
    await grow(witnessed.stand, 310)
    await witnessed.published(310, "a", "b", "c")
    await witnessed.stand.stop(asking)
    for table in ("witnessed", "cosignatures"):
        async with witnessed.stand.database.connect("witnesses") as connection:
            with pytest.raises(asyncpg.CheckViolationError, match="cannot go back"):
                await connection.execute(f"UPDATE ledger.{table} SET size = 300")


async def test_the_role_sees_nothing_but_heads(witnessed: Witnessed) -> None:
    async with witnessed.stand.database.connect("witnesses") as connection:
        for sql in (
            "SELECT * FROM ledger.entries",
            "SELECT * FROM ledger.openings",
            "INSERT INTO ledger.checkpoints VALUES (0, 9, sha256(''), '', 0)",
            "DELETE FROM ledger.witnessed",
            "DELETE FROM ledger.cosignatures",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(sql)
