"""Heads of audit chains, signed and kept outside the database: what it is told of is found."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from amply_verify.note import Signer
from deploy.cli import app
from ledger.audit_anchor import AnchorError
from tests.engines import LoopThread
from tests.ledger.database import Database
from tests.ledger.making import ORIGIN, name
from tests.ledger.store.test_audit import chained, check, write
from tests.ledger.test_audit import deed
from workers.checkpoints.anchoring import Anchoring
from workers.checkpoints.keys import Keys

FIRST, SECOND = (Signer(ORIGIN, bytes([number]) * 32) for number in (7, 8))


@pytest.fixture(scope="module")
def database(postgres_database: Callable[[], str], engine_loop: LoopThread) -> Database:
    made = Database(postgres_database())
    engine_loop.run(made.prepare())
    return made


class Anchored:
    """Two chains of its own, and who anchors all that there are."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.a, self.b = name("org", f"{folder.name}-a"), name("org", f"{folder.name}-b")
        self.database, self.path = database, folder / "audit.anchors"
        self.key = folder / "master.key"
        self.key.write_text(bytes(range(32)).hex())

    async def grow(self, chain: str | None = None, count: int = 3) -> None:
        chain = chain or self.a
        deeds = (deed(one, organization=chain, client=None) for one in range(count))
        await write(self.database, *deeds)
        await chained(self.database)

    async def anchor(self, signers: Sequence[Signer] = (FIRST,)) -> list[str]:
        keys = Keys(ORIGIN, lambda: signers)
        await keys.load()
        anchoring = Anchoring(self.database.role_dsn("checkpoints"), keys, self.path, 0)
        async with self.database.connect("checkpoints") as connection:
            refused = await anchoring.anchor(connection)
        return [chain for chain in refused if chain in (self.a, self.b)]

    async def tamper(self, *statements: str) -> None:
        """As a superuser who has switched off every trigger."""
        async with self.database.connect() as connection:
            await connection.execute("SET session_replication_role = replica")
            for sql in statements:
                await connection.execute(sql.format(a=self.a))

    def verify(self, *arguments: str, key: Signer = FIRST) -> Any:
        settings = {
            "AMPLY_POSTGRES": self.database.role_dsn("operations"),
            "AMPLY_MASTER_KEY": str(self.key),
        }
        given = ["audit", "check", "--anchors", str(self.path), "--key", str(key.key), *arguments]
        return CliRunner().invoke(app, given, env=settings)

    async def verified(self, *arguments: str, key: Signer = FIRST) -> Any:
        return await asyncio.to_thread(self.verify, *arguments, key=key)


@pytest.fixture
async def anchored(database: Database, tmp_path: Path) -> Anchored:
    made = Anchored(database, tmp_path)
    await made.grow()
    await made.grow(made.b)
    assert await made.anchor() == []
    return made


#: What ends a chain earlier, with a head that is right by itself.
CUT = (
    "DELETE FROM audit.records WHERE organization = '{a}' AND seq = 2",
    "UPDATE audit.chains SET seq = 1, head = (SELECT hash FROM audit.records"
    " WHERE organization = '{a}' AND seq = 1) WHERE organization = '{a}'",
)
GONE = (
    "DELETE FROM audit.records WHERE organization = '{a}'",
    "DELETE FROM audit.chains WHERE organization = '{a}'",
)
#: As if retention had taken all but the last one.
DROPPED = (
    "UPDATE audit.chains SET dropped_seq = 2, dropped_head = head WHERE organization = '{a}'",
    "DELETE FROM audit.records WHERE organization = '{a}'",
)


async def test_a_cut_that_the_chain_cannot_tell_is_found_by_its_anchor(anchored: Anchored) -> None:
    assert (await anchored.verified("--organization", anchored.a)).exit_code == 0
    await anchored.tamper(*CUT)
    assert (await check(anchored.database, anchored.a)).head.seq == 1  # By itself it looks whole.
    told = await anchored.verified("--organization", anchored.a)
    assert (told.exit_code, "record 2 is missing" in told.output) == (1, True), told.output
    every = await anchored.verified("--all", "--json")
    assert every.exit_code == 1 and f'"organization": "{anchored.b}"' in every.output
    assert await anchored.anchor() == [anchored.a]


async def test_an_end_that_was_written_anew_is_found_and_not_signed_over(
    anchored: Anchored,
) -> None:
    before = anchored.path.read_bytes()
    await anchored.tamper(*CUT)
    await anchored.grow(count=5)  # Longer than it was, by the code that chains.
    assert (await check(anchored.database, anchored.a)).head.seq == 6
    told = await anchored.verified("--organization", anchored.a)
    assert (told.exit_code, "record 2 is not" in told.output) == (1, True), told.output
    assert await anchored.anchor() == [anchored.a]
    assert anchored.path.read_bytes() == before


async def test_a_change_and_a_reordering_before_the_anchor_are_found(anchored: Anchored) -> None:
    rows = await anchored.database.fetch(
        "SELECT seq, bytes FROM audit.records WHERE organization = $1 ORDER BY seq", anchored.a
    )
    swap = "UPDATE audit.records SET bytes = '\\x{0}', hash = sha256('\\x00{0}') WHERE seq = {1}"
    first, second = rows[1]["bytes"].hex(), rows[2]["bytes"].hex()
    only = " AND organization = '{a}'"
    await anchored.tamper(swap.format(second, 1) + only, swap.format(first, 2) + only)
    told = await anchored.verified("--organization", anchored.a)
    assert (told.exit_code, "record 1" in told.output) == (1, True), told.output


@pytest.mark.parametrize("statements", [GONE, DROPPED], ids=["gone", "dropped"])
async def test_a_chain_that_is_gone_is_missed(
    anchored: Anchored, statements: Sequence[str]
) -> None:
    await anchored.tamper(*statements)
    told = await anchored.verified("--all")
    if statements is GONE:
        assert (told.exit_code, f"{anchored.a}: record 0 is missing" in told.output) == (1, True)
        assert await anchored.anchor() == [anchored.a]
    else:  # Up to the very anchor: what retention says it took cannot be told from that.
        await anchored.grow(count=1)
        await anchored.tamper(
            "UPDATE audit.chains SET dropped_seq = 3, dropped_head = head"
            " WHERE organization = '{a}'"
        )
        told = await anchored.verified("--organization", anchored.a)
        assert (told.exit_code, "before its time" in told.output) == (1, True), told.output
    assert (await anchored.verified("--organization", anchored.b)).exit_code == 0


async def test_anchors_follow_their_chains_and_their_key(anchored: Anchored) -> None:
    first = anchored.path.read_bytes()
    assert await anchored.anchor() == [] and anchored.path.read_bytes() == first
    await anchored.grow(count=2)
    assert await anchored.anchor() == []
    told = json.loads((await anchored.verified("--organization", anchored.a, "--json")).output)
    assert (told["seq"], told["anchored"]["seq"]) == (4, 4)
    await anchored.grow(count=1)
    told = json.loads((await anchored.verified("--organization", anchored.a, "--json")).output)
    assert (told["seq"], told["anchored"]["seq"]) == (5, 4)
    # Another key signs from now on: also what did not move.
    assert await anchored.anchor([SECOND, FIRST]) == []
    assert (await anchored.verified("--organization", anchored.b, key=SECOND)).exit_code == 0
    assert "another key" in (await anchored.verified("--all", key=FIRST)).output


async def test_a_file_that_another_wrote_is_not_written_over(anchored: Anchored) -> None:
    forged = anchored.path.read_bytes().replace(b"\n2\n", b"\n1\n", 1)
    anchored.path.write_bytes(forged)
    await anchored.grow()
    with pytest.raises(AnchorError):
        await anchored.anchor()
    assert anchored.path.read_bytes() == forged
    assert (await anchored.verified("--all")).exit_code == 1
