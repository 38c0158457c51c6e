"""The newest census counts an organization: out of the real database, checked by the format."""

from typing import Any

import asyncpg
import pytest

from amply_verify import canonical, tree
from amply_verify.canonical import from_base64
from amply_verify.entry import parse_entry
from amply_verify.note import open_checkpoint, parse_verifier_key
from ledger.batch import decide
from ledger.entry import Composer, Request
from ledger.store import pen
from tests.edge.scribe import VKEY, Scribe
from tests.edge.stand import ORIGIN, Served, Stand, gift
from tests.edge.test_public import slug_of
from tests.ledger.making import name

pytestmark = pytest.mark.asyncio


@pytest.fixture
def scribe(stand: Stand) -> Scribe:
    return Scribe(stand)


async def count(stand: Stand, of: object) -> None:
    """Record a census as the writer does: of the log as it stands."""
    connection = await asyncpg.connect(stand.superuser_dsn)
    try:
        held = await pen.take(connection, 0, ORIGIN, "test")
        rows = await connection.fetch(
            "SELECT organization, seq, head FROM ledger.chains ORDER BY organization"
        )
        leaves = [tree.leaf_hash(leaf_of(*row)) for row in rows]
        details = {"orgs": len(rows), "root": tree.root_of(leaves).hex()}
        platform = str(held.state.platform)
        request = Request(
            name("ent", of), platform, "census", "public_full", None, None, None, None, details,
            None,
        )  # fmt: skip
        async with connection.transaction():
            clock = await pen.read_clock(connection)
            known = await pen.look_up(connection, [request], {}, {})
            decision = decide([request], held.state, known, clock, Composer(ORIGIN), by_ledger=True)
            assert len(decision.entries) == 1, decision
            await pen.append(connection, held.epoch, decision, held.next_offset)
    finally:
        await connection.close()


def leaf_of(organization: str, seq: int, head: bytes) -> bytes:
    return canonical.encode({"head": head.hex(), "org": organization, "seq": seq})


async def give(stand: Stand, edge: Served, scribe: Scribe, registered: Any, gifts: int) -> None:
    for _ in range(gifts):
        answer = await edge.donate(gift(registered.id), registered.key.secret)
        assert answer.status == 202
    await scribe.record(registered.id)


async def path_of(stand: Stand, organization: str) -> str:
    return f"/v1/public/organizations/{await slug_of(stand, organization)}/ledger/census"


async def counted_at(stand: Stand, edge: Served, organization: str) -> int:
    """The `seq` at which the proof shows the chain, every hash of it checked."""
    answer = await edge.get(await path_of(stand, organization))
    assert answer.status == 200, answer.body
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    census = answer.json["census"]
    signed, _ = open_checkpoint(answer.json["checkpoint"], parse_verifier_key(VKEY))
    leaf = tree.leaf_hash(census["entry"].encode())
    proof = [from_base64(one) for one in census["proof"]]
    tree.verify_inclusion(leaf, census["index"], signed.size, proof, signed.root)
    details = parse_entry(census["entry"], ORIGIN).shown["details"]
    rows = await stand.fetch(
        "SELECT seq, leaf_hash FROM ledger.entries WHERE organization = $1 AND index < $2"
        " ORDER BY seq DESC LIMIT 1",
        organization,
        census["index"],
    )
    seq, head = rows[0]
    member = census["member"]
    tree.verify_inclusion(
        tree.leaf_hash(leaf_of(organization, seq, head)),
        member["index"],
        details["orgs"],
        [from_base64(one) for one in member["proof"]],
        bytes.fromhex(details["root"]),
    )
    return int(seq)


async def test_the_newest_census_under_the_checkpoint_proves_every_chain_it_counted(
    stand: Stand, edge: Served, scribe: Scribe
) -> None:
    organizations = [await stand.register() for _ in range(5)]
    for number, registered in enumerate(organizations):
        await give(stand, edge, scribe, registered, number)
    await scribe.publish()
    uncounted = await edge.get(await path_of(stand, organizations[0].id))
    assert (uncounted.status, uncounted.code) == (404, "not_counted")
    await count(stand, "first census")
    await scribe.publish()
    for number, registered in enumerate(organizations):
        assert await counted_at(stand, edge, registered.id) == number
    # Chains go on, by few and by many entries; the census stays what it was.
    late = await stand.register()
    await give(stand, edge, scribe, late, 1)
    await give(stand, edge, scribe, organizations[1], 1)
    await give(stand, edge, scribe, organizations[2], 9)
    await scribe.publish()
    async with stand.serve() as another:
        for number, registered in enumerate(organizations):
            assert await counted_at(stand, another, registered.id) == number
        uncounted = await another.get(await path_of(stand, late.id))
        assert (uncounted.status, uncounted.code) == (404, "not_counted")
    # A census that no checkpoint covers yet proves nothing yet.
    await count(stand, "second census")
    assert await counted_at(stand, edge, organizations[2].id) == 2
    await scribe.publish()
    assert await counted_at(stand, edge, organizations[2].id) == 11
    assert await counted_at(stand, edge, late.id) == 1
