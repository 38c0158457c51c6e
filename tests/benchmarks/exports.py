"""How fast `amply-verify export` checks 100 000 entries, from the file to the exit status."""

import asyncio
import base64
import hashlib
import sys
import time
from pathlib import Path
from uuid import UUID

from amply_verify import canonical
from amply_verify.entry import seal
from amply_verify.note import Checkpoint, Signer
from amply_verify.tree import Frontier, leaf_hash, node_reader, prove_inclusion
from contracts.identifiers import type_id

ENTRIES = 100_000
ORIGIN = "amply.localhost/log/0"
ORGANIZATION = type_id("org", UUID(int=1))
FUND = type_id("fund", UUID(int=2))
SEED = hashlib.sha256(b"benchmark").digest()
RUNS = 3


def entry(seq: int, previous: str | None) -> bytes:
    """A donation of three postings with a sealed donor; the genesis at 0."""
    value: dict[str, object] = {
        "id": type_id("ent", UUID(int=seq + 10)),
        "org": ORGANIZATION,
        "prev": previous,
        "seq": seq,
        "time": f"2026-01-01T{seq // 3600 % 24:02}:{seq // 60 % 60:02}:{seq % 60:02}.000000Z",
        "v": 1,
        "visibility": "public_full",
    }
    value["time"] = f"2026-01-{1 + seq // 86_400:02}" + str(value["time"])[10:]
    if seq == 0:
        details = {"name": "Benchmark", "origin": ORIGIN}
        return canonical.encode({**value, "kind": "genesis", "details": details})
    amounts = (("Assets:Stripe", 970), ("Expenses:ProcessorFees", 30), ("Income:Donations", -1000))
    postings = [
        {"account": account, "amount": str(amount), "currency": "USD", "fund": FUND}
        for account, amount in amounts
    ]
    salt = hashlib.sha256(seq.to_bytes(8, "big")).digest()
    return canonical.encode(
        {
            **value,
            "kind": "donation",
            "details": {"donation": type_id("don", UUID(int=seq))},
            "donor": {"sealed": seal("donor", salt, b'{"name":"A"}')},
            "money": {"postings": postings},
        }
    )


def write_export(path: Path) -> str:
    """An export of `ENTRIES` entries; the verifier key to check it with."""
    signer = Signer(ORIGIN, SEED)
    leaves: list[bytes] = []
    frontier = Frontier()
    lines: list[bytes] = []
    previous: str | None = None
    for seq in range(ENTRIES):
        content = entry(seq, previous)
        leaf = leaf_hash(content)
        leaves.append(leaf)
        frontier.append(leaf)
        previous = leaf.hex()
        row = {"entry": content.decode(), "index": seq, "openings": {}}
        lines.append(canonical.encode(row))
    proof = prove_inclusion(ENTRIES - 1, ENTRIES, node_reader(leaves))
    first = {
        "checkpoint": signer.sign(Checkpoint(ORIGIN, ENTRIES, frontier.root())),
        "entries": ENTRIES,
        "format": "amply/ledger-export/v1",
        "head": {
            "index": ENTRIES - 1,
            "proof": [base64.b64encode(one).decode() for one in proof],
        },
        "org": ORGANIZATION,
        "origin": ORIGIN,
    }
    path.write_bytes(b"\n".join([canonical.encode(first), *lines]) + b"\n")
    return str(signer.key)


async def measure(folder: Path) -> list[tuple[str, str, str]]:
    path = folder / "export.jsonl"
    key = write_export(path)
    rates = []
    for _ in range(RUNS):
        started = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "amply_verify",
            "export",
            str(path),
            "--key",
            key,
            "--json",
            stdout=asyncio.subprocess.DEVNULL,
        )
        if await process.wait() != 0:
            raise RuntimeError("amply-verify refused the benchmark's export")
        rates.append(ENTRIES / (time.perf_counter() - started))
    size = path.stat().st_size / 1e6
    return [
        (
            f"amply-verify export, {ENTRIES} three-posting entries ({size:.0f} MB), median of 3",
            ">= 20 000 entries/s",
            f"{sorted(rates)[1]:.0f}/s",
        )
    ]
