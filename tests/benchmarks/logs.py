"""How fast `amply-verify log` audits 1 000 000 entries, and how much memory all its processes use.

The log is written out of templates, some 50 000 entries a second: one entry in ten is a refund
that names an earlier gift, donors are sealed, a census comes every 100 000 entries.
"""

import asyncio
import hashlib
import random
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from amply_verify import tiles
from amply_verify.log_chains import census_root
from amply_verify.note import Checkpoint, Signer
from amply_verify.store import Head
from amply_verify.tree import Frontier, fold, leaf_hash
from contracts.identifiers import type_id

ENTRIES = 1_000_000
ORGANIZATIONS = 1_000
CENSUS_EVERY = 100_000
ORIGIN = "amply.localhost/log/0"
SEED = hashlib.sha256(b"benchmark").digest()
RUNS = 3
PROCESSES = 2
MEMORY_INTERVAL_S = 0.2

_TEMPLATE = (
    '{%(details)s%(donor)s"id":"%(id)s","kind":"%(kind)s",%(money)s"org":"%(org)s",'
    '"prev":%(prev)s,%(ref)s"seq":%(seq)d,"time":"%(time)s","v":1,"visibility":"public_full"}'
)


def _money(fund: str, amounts: tuple[tuple[str, int], ...]) -> str:
    rows = ",".join(
        f'{{"account":"{account}","amount":"{amount}","currency":"EUR","fund":"{fund}"}}'
        for account, amount in amounts
    )
    return f'"money":{{"postings":[{rows}]}},'


def entries(count: int, organizations: int) -> Iterator[bytes]:
    """The canonical bytes of a valid log; the platform's genesis at 0, its censuses later."""
    chance = random.Random(4)
    orgs = [type_id("org", UUID(int=number + 1)) for number in range(organizations)]
    fund = type_id("fund", UUID(int=7))
    gift = (("Assets:Stripe", 970), ("Expenses:ProcessorFees", 30), ("Income:Donations", -1000))
    moneys = {
        "donation": _money(fund, gift),
        "refund": _money(fund, tuple((name, -amount) for name, amount in gift)),
    }
    heads: dict[str, Head] = {}
    gifts: dict[str, str] = {}
    for index in range(count):
        org = orgs[index] if index < organizations else chance.choice(orgs)
        kind = "genesis" if index < organizations else "donation"
        details, donor = f'"details":{{"name":"Org","origin":"{ORIGIN}"}},', ""
        if index and index % CENSUS_EVERY == 0:
            org, kind = orgs[0], "census"
            root = census_root(sorted(heads.items())).hex()
            details = f'"details":{{"orgs":{len(heads)},"root":"{root}"}},'
        elif kind == "donation":
            details = f'"details":{{"donation":"don_{index:026}"}},'
            if org in gifts and index % 10 == 0:
                kind = "refund"
            else:
                donor = f'"donor":{{"sealed":"{chance.randbytes(32).hex()}"}},'
        head = heads.get(org, Head(0, -1, b""))
        # Ids that sort by time, like the platform's: milliseconds, then chance.
        number = (1_770_000_000_000 + index // 5 << 80) | chance.getrandbits(76)
        entry_id = type_id("ent", UUID(int=number))
        day, second = divmod(index // 5, 86_400)
        data = (
            _TEMPLATE
            % {
                "details": details,
                "donor": donor,
                "id": entry_id,
                "kind": kind,
                "money": moneys.get(kind, ""),
                "org": org,
                "prev": f'"{head.leaf.hex()}"' if head.leaf else "null",
                "ref": f'"ref":"{gifts[org]}",' if kind == "refund" else "",
                "seq": head.seq + 1,
                "time": f"2026-01-{day + 1:02}T{second // 3600:02}:{second // 60 % 60:02}"
                f":{second % 60:02}.{index % 5:06}Z",
            }
        ).encode()
        heads[org] = Head(0, head.seq + 1, leaf_hash(data))
        if kind == "donation":
            gifts[org] = entry_id
        yield data


def write_log(folder: Path, count: int = ENTRIES, organizations: int = ORGANIZATIONS) -> str:
    """The static files of a log of `count` entries; returns its verifier key."""
    signer = Signer(ORIGIN, SEED)
    frontier = Frontier()
    levels: list[list[bytes]] = [[]]

    def write(name: str, data: bytes) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    bundle: list[bytes] = []
    for data in entries(count, organizations):
        bundle.append(data)
        if len(bundle) == tiles.TILE_WIDTH or frontier.size + len(bundle) == count:
            leaves = [leaf_hash(entry) for entry in bundle]
            number = frontier.size // tiles.TILE_WIDTH
            write(tiles.bundle_path(number, len(bundle)), tiles.pack_bundle(bundle))
            write(tiles.tile_path(0, number, len(bundle)), b"".join(leaves))
            frontier.extend(leaves)
            if len(bundle) == tiles.TILE_WIDTH:
                levels[0].append(fold(leaves))
            bundle = []
    for tile in tiles.tiles_of(count):
        if tile.level > 0:
            level = levels[tile.level - 1]
            first = tile.number * tiles.TILE_WIDTH
            hashes = level[first : first + tile.width]
            write(tile.path, b"".join(hashes))
            if tile.level == len(levels):
                levels.append([])
            if tile.width == tiles.TILE_WIDTH:
                levels[tile.level].append(fold(hashes))
    write("checkpoint", signer.sign(Checkpoint(ORIGIN, count, frontier.root())).encode())
    return str(signer.key)


def resident_mb(process: int) -> float:
    """The resident memory of a process and of those below it, in MB; shared pages count twice."""
    folder = Path("/proc") / str(process)
    try:
        pages = int((folder / "statm").read_text().split()[1])
        children = (folder / "task" / str(process) / "children").read_text().split()
    except OSError:
        return 0.0
    return pages * 4096 / 1e6 + sum(resident_mb(int(child)) for child in children)


def children_cpu_s() -> float:
    """CPU seconds of all processes that this one waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


async def audit(folder: Path, key: str, processes: int) -> tuple[float, float, float]:
    """Seconds, CPU seconds and the peak of the memory in MB of one `amply-verify log`."""
    started, cpu_s = time.perf_counter(), children_cpu_s()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "amply_verify", "log", str(folder), "--key", key, "--json"),
        *("--processes", str(processes)),
        stdout=asyncio.subprocess.DEVNULL,
    )
    ended = asyncio.ensure_future(process.wait())
    peak_mb = 0.0
    while not ended.done():
        peak_mb = max(peak_mb, resident_mb(process.pid))
        await asyncio.wait((ended,), timeout=MEMORY_INTERVAL_S)
    if ended.result() != 0:
        raise RuntimeError("amply-verify refused the benchmark's log")
    return time.perf_counter() - started, children_cpu_s() - cpu_s, peak_mb


async def measure(folder: Path) -> list[tuple[str, str, str]]:
    key = write_log(folder)
    runs = [await audit(folder, key, PROCESSES) for _ in range(RUNS)]
    seconds, cpu_s, memory_mb = sorted(runs)[RUNS // 2]
    return [
        (
            f"amply-verify log, {ENTRIES} entries, {PROCESSES} processes, median of {RUNS}",
            "< 30 s, < 400 MB",
            f"{seconds:.1f} s ({cpu_s:.1f} s of CPU), {memory_mb:.0f} MB in all processes",
        )
    ]
