"""Audit of a whole log (section 9) out of its static files, one numbered step after the other.

A1 checkpoint; A2 bundles and tiles hash up to its root; A3 every entry alone; A4 every chain; A5
every census; A6 older checkpoints are prefixes; A7 receipts and exports given hold the same bytes.
Parts of the log are judged by several processes and joined in order, which gives the same answer
with any number of them.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from amply_verify.claims import Claim, check_claims
from amply_verify.errors import InvalidError, RefusedError
from amply_verify.history import check_prefix
from amply_verify.log_chains import LogChains
from amply_verify.log_files import STEP as FILES
from amply_verify.log_files import check_note, check_root, check_upper_tiles, read_note
from amply_verify.log_part import Part, Task, judge_part
from amply_verify.note import Checkpoint, open_checkpoint
from amply_verify.source import ReadFile
from amply_verify.store import Store
from amply_verify.terminal import Progress
from amply_verify.tiles import TILE_WIDTH, Tile
from amply_verify.trust import Signed, Trust

PART_TILES = 64


@dataclass(slots=True)
class LogReport:
    """A verified log."""

    signed: Signed
    organizations: int
    censuses: int
    older: int
    """How many older checkpoints were compared."""
    claims: int
    """How many receipts and lines of exports were compared."""
    witnessed: int | None = None
    """Up to which size the policy's witnesses cosigned it; None when no policy asks for any."""


@dataclass(slots=True)
class Kept:
    """What the auditor kept from before: older notes, and what receipts and exports say."""

    checkpoints: Sequence[str] = ()
    claims: Sequence[Claim] = ()


def audit_log(
    read: ReadFile,
    trust: Trust,
    kept: Kept | None = None,
    processes: int = 1,
    progress: Progress | None = None,
) -> LogReport:
    """Audit the log whose files `read` gives; raises RefusedError at the first step that fails.

    With a policy of witnesses, what they cosigned must be a prefix of the newest checkpoint.
    """
    kept = kept or Kept()
    signed, notes, witnessed = _open(read, trust)
    checkpoint = signed.checkpoint
    with closing(Store()) as store:
        chains = LogChains(store)
        others = extend(chains, read, checkpoint, kept.claims, processes, progress)
        _check_older((*notes, *kept.checkpoints), checkpoint, read, trust)
        check_claims(kept.claims, others, chains, checkpoint, read, trust)
    return LogReport(
        signed=signed,
        organizations=len(chains.heads),
        censuses=chains.censuses,
        older=len(kept.checkpoints),
        claims=sum(len(claim.indexes) for claim in kept.claims),
        witnessed=witnessed,
    )


def _open(read: ReadFile, trust: Trust) -> tuple[Signed, list[str], int | None]:
    """A1: the newest checkpoint, with the cosignatures of the newest one that has the policy's.

    That one, if it is another, is the note of an older checkpoint; and its size.
    """
    note = read_note(read, trust)
    signed = check_note(note, trust)
    if not trust.asks_witnesses:
        return signed, [], None
    bare = Trust(trust.key)
    # Read after the cosigned one, so it is not the older of the two in an honest log.
    newest = check_note(read_note(read, bare), bare)
    return Signed(newest.checkpoint, signed.cosignatures), [note], signed.checkpoint.size


def extend(
    chains: LogChains,
    read: ReadFile,
    checkpoint: Checkpoint,
    claims: Sequence[Claim] = (),
    processes: int = 1,
    progress: Progress | None = None,
) -> list[tuple[int, int]]:
    """Steps A2 to A5 over the entries that the log of `checkpoint` has and `chains` does not.

    Returns the (index, number of the claim) whose bytes differ. Raises RefusedError.
    """
    old_size = chains.frontier.size
    others: list[tuple[int, int]] = []
    tasks = _tasks(old_size, checkpoint, claims)
    alone = checkpoint.size - old_size <= PART_TILES * TILE_WIDTH
    for part in _judged(read, tasks, 1 if alone else processes):
        if part.torn is not None:
            raise RefusedError(FILES, part.torn[0], index=part.torn[1])
        others += part.others
        chains.join(part)
        if progress is not None:
            progress(chains.frontier.size, checkpoint.size)
    check_upper_tiles(read, checkpoint, old_size, chains.full)
    chains.full.clear()
    check_root(checkpoint, chains.frontier)
    if chains.fault is not None:
        raise chains.fault.error()
    return others


def _tasks(old_size: int, checkpoint: Checkpoint, claims: Sequence[Claim]) -> Iterator[Task]:
    size = checkpoint.size
    part_width = PART_TILES * TILE_WIDTH
    for start in range(old_size - old_size % TILE_WIDTH, size, part_width):
        end = min(start + part_width, size)
        tiles = [
            Tile(0, first // TILE_WIDTH, min(TILE_WIDTH, size - first))
            for first in range(start, end, TILE_WIDTH)
        ]
        said = [
            (index, leaf, file)
            for file, claim in enumerate(claims)
            for index, leaf in claim.between(start, end)
        ]
        yield Task(checkpoint.origin, tiles, max(start, old_size), said)


def _judged(read: ReadFile, tasks: Iterator[Task], processes: int) -> Iterator[Part]:
    """The judged parts in order; at most a few per process are in memory."""
    if processes == 1:
        for task in tasks:
            yield judge_part(read, task)
        return
    waiting: deque[Future[Part]] = deque()
    with ProcessPoolExecutor(processes) as pool:
        try:
            for task in tasks:
                waiting.append(pool.submit(judge_part, read, task))
                if len(waiting) > 2 * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _check_older(
    notes: Sequence[str], checkpoint: Checkpoint, read: ReadFile, trust: Trust
) -> None:
    """A6: every older checkpoint is signed by the log, whose first entries it covers."""
    for note in notes:
        try:
            old, _ = open_checkpoint(note, trust.key)
        except InvalidError as error:
            raise RefusedError("A6", f"an older checkpoint: {error}") from error
        try:
            check_prefix(old, checkpoint, read)
        except InvalidError as error:
            raise RefusedError("A6", str(error)) from error
