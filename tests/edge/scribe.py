"""Records and publishes what the edge requested, with the ledger's own code."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from amply_verify.note import Signer
from contracts.donations import DonationRequested
from contracts.entries import EntryRequested
from contracts.identifiers import type_id
from ledger import checkpoint
from ledger.batch import decide
from ledger.entry import Composer, DonorSeal, Request, spell_time
from ledger.projection import Reader
from ledger.publication import Directory
from ledger.store import pen, projections
from ledger.tiles import Growth
from tests.edge.stand import ORIGIN, Stand

SIGNER = Signer(ORIGIN, bytes(range(32, 64)))
VKEY = str(SIGNER.key)


class Scribe:
    """The writer of one stand's log. Every organization's genesis and gifts, in the order asked."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._done: set[str] = set()

    async def record(self, organization: str) -> None:
        """What is in the outbox of an organization: its genesis, then its gifts."""
        requests = [
            _genesis(entry_of(message), organization, EntryRequested.model_validate_json(value))
            for message, value in await self._messages(organization, "entries.requested.v1")
        ]
        requests += [
            _gift(entry_of(message), organization, DonationRequested.model_validate_json(value))
            for message, value in await self._messages(organization, "donations.requested.v1")
        ]
        await self.append(requests)

    async def append(self, requests: Sequence[Request]) -> None:
        """Record requests, of which none may be refused."""
        connection = await asyncpg.connect(self._stand.superuser_dsn)
        try:
            held = await pen.take(connection, 0, ORIGIN, "test")
            async with connection.transaction():
                clock = await pen.read_clock(connection)
                known = await pen.look_up(connection, requests, {}, {})
                decision = decide(requests, held.state, known, clock, Composer(ORIGIN))
                assert not decision.refused and not decision.waiting, decision
                await pen.append(connection, held.epoch, decision, held.next_offset)
            for entry in decision.entries:
                if entry.request.kind == "donation":
                    subject = entry.request.subject
                    await connection.execute(PROJECT, entry.request.organization, subject)
                    await connection.execute(
                        "SELECT pg_notify('donations', $1)", entry.request.subject
                    )
            reader = Reader()
            while await projections.cursor(connection, 0) < await projections.size(connection, 0):
                start = await projections.cursor(connection, 0)
                await projections.advance(connection, 0, start, 1000, reader)
        finally:
            await connection.close()

    async def publish(self) -> int:
        """Tiles, then the checkpoint of everything recorded; its size."""
        rows = await self._stand.fetch("SELECT bytes FROM ledger.entries ORDER BY index")
        growth = Growth()
        files = growth.extend([row["bytes"] for row in rows])
        directory = Directory(folder(self._stand))
        try:
            directory.write_all((file.path, file.data) for file in files)
            directory.write("vkey", checkpoint.verifier_key_file(VKEY))
            note = checkpoint.sign([SIGNER], growth.size, growth.root())
            await self._stand.fetch(PUBLISH, growth.size, growth.root(), note)
            directory.write("checkpoint", note.encode())
        finally:
            directory.close()
        return growth.size

    async def _messages(self, organization: str, topic: str) -> list[tuple[Any, bytes]]:
        rows = await self._stand.messages(organization, topic)
        return [(dict(orjson.loads(row["headers"])), row["value"]) for row in rows]


#: What workers/donations makes of the facts, as far as reading needs it.
PROJECT = """
    INSERT INTO donations.donations (organization, id, status, amount_minor, charge_amount_minor,
        currency, fund, covers_fee, entry_id, log, index, seq, created_at, updated_at)
    SELECT organization, subject, 'recorded', 2500, 2500, 'EUR', 'fund_' || repeat('0', 26), false,
        id, log, index, seq, now(), now()
    FROM ledger.entries WHERE organization = $1 AND subject = $2
    ON CONFLICT (organization, id) DO UPDATE SET status = 'recorded', entry_id = excluded.entry_id,
        log = excluded.log, index = excluded.index, seq = excluded.seq
"""


#: What workers/checkpoints keeps of a checkpoint, once for each size.
PUBLISH = """
    WITH signed AS (
        INSERT INTO ledger.checkpoints (log, size, root, note, writer_epoch)
        SELECT 0, $1, $2, $3, epoch FROM ledger.writers
        WHERE log = 0 AND NOT EXISTS (SELECT FROM ledger.checkpoints WHERE size = $1)
        RETURNING log, size)
    INSERT INTO ledger.publications (log, size) SELECT log, size FROM signed
"""


def folder(stand: Stand) -> Path:
    return stand.settings.public / "log" / "0"


def entry_of(headers: dict[str, str]) -> str:
    return type_id("ent", UUID(headers["ce_id"]))


def _genesis(identifier: str, organization: str, body: EntryRequested) -> Request:
    assert body.kind == "genesis"
    return Request(
        identifier, organization, "genesis", body.visibility, None, None, body.subject, None,
        body.details, None,
    )  # fmt: skip


def _gift(identifier: str, organization: str, body: DonationRequested) -> Request:
    common = {"currency": body.currency, "fund": body.fund}
    postings = [
        {"account": "Assets:Stripe", "amount": str(body.amount_minor), **common},
        {"account": "Income:Donations", "amount": str(-body.amount_minor), **common},
    ]
    donor = body.donor
    return Request(
        id=identifier,
        organization=organization,
        kind="donation",
        visibility=body.visibility,
        public_after=spell_time(body.public_after) if body.public_after else None,
        ref=None,
        subject=body.donation,
        postings=postings,
        details={"currency": body.currency},
        donor=DonorSeal(donor.profile, donor.seal, donor.opening) if donor else None,
    )
