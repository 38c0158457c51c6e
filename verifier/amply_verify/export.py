"""Verification of an export of one organization (section 8), one numbered step after the other.

1 checkpoint, 2 form, 3 entries, 4 chain, 5 openings, 6 money, 7 refs, 8 head, 9 census, 10 history,
11 figures. The file is read once, line by line; some 400 bytes are kept of each entry. Long exports
are judged by several processes.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, NamedTuple

from amply_verify import canonical
from amply_verify.chain import FORM, Part, finish, join, judge_lines
from amply_verify.entry import parse_entry
from amply_verify.errors import InvalidError, ProofError, RefusedError
from amply_verify.export_form import (
    Census,
    Header,
    parse_first,
    parse_header,
    read_lines,
)
from amply_verify.figures import Figures
from amply_verify.note import Checkpoint, open_checkpoint
from amply_verify.terminal import Progress
from amply_verify.tree import leaf_hash, verify_consistency, verify_inclusion
from amply_verify.trust import Signed, Trust, open_trusted

CHECKPOINT, HEAD, CENSUS, HISTORY = 1, 8, 9, 10
CHUNK_LINES = 500
# Starting processes takes longer than judging this many entries.
ENTRIES_ALONE_MAX = 10_000


class Head(NamedTuple):
    """An entry seen before: its leaf hash in hex and its seq."""

    hash: str
    seq: int


class Memory(NamedTuple):
    """What the verifying person kept from before: an older checkpoint's note, an older head."""

    checkpoint: str | None = None
    head: Head | None = None


@dataclass(slots=True)
class ExportReport:
    """A verified export; `head` is what to keep for the next time."""

    org: str
    entries: int
    signed: Signed
    head: Head
    figures: Figures
    census_given: bool


def verify_export(
    stream: BinaryIO,
    trust: Trust,
    org: str | None = None,
    memory: Memory | None = None,
    now: datetime | None = None,
    processes: int = 1,
    progress: Progress | None = None,
) -> ExportReport:
    """Verify an export read from `stream`; `org` is the organization asked for (default: line 1's).

    Raises RefusedError with the first step that fails and the lowest seq concerned.
    """
    lines = read_lines(stream)
    memory = memory or Memory()
    header, signed = _open(lines, trust, org)
    moment = (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    chain = Part(0, Figures(moment))
    work = _Work(lines, header, signed.checkpoint.origin, moment)
    for part in work.parts(processes if header.entries > ENTRIES_ALONE_MAX else 1):
        join(chain, part)
        if progress is not None:
            progress(chain.count, header.entries)
        if chain.limit <= FORM:
            break
    if chain.limit > FORM and work.fault is not None:
        raise work.fault
    finish(chain)
    _check_head(header, chain, signed.checkpoint)
    if header.census is not None:
        _check_census(header.census, header, chain, signed.checkpoint)
    _check_history(header, chain, signed.checkpoint, trust, memory)
    chain.figures.check_statements()
    last = header.entries - 1
    return ExportReport(
        org=header.org,
        entries=header.entries,
        signed=signed,
        head=Head(chain.leaf(last).hex(), last),
        figures=chain.figures,
        census_given=header.census is not None,
    )


@dataclass(slots=True)
class _Work:
    """Cuts the lines of entries into chunks and has them judged.

    `fault` is, once all is read, what ended the reading before the announced number of lines.
    """

    lines: Iterator[bytes]
    header: Header
    origin: str
    now: str
    fault: RefusedError | None = None

    def parts(self, processes: int) -> Iterator[Part]:
        """The judged parts in order; at most a few chunks per process are in memory."""
        if processes == 1:
            for seq, chunk in self._chunks():
                yield judge_lines(chunk, seq, self.header.org, self.origin, self.now)
            return
        waiting: deque[Future[Part]] = deque()
        with ProcessPoolExecutor(processes) as pool:
            for seq, chunk in self._chunks():
                waiting.append(
                    pool.submit(judge_lines, chunk, seq, self.header.org, self.origin, self.now)
                )
                if len(waiting) > 2 * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _chunks(self) -> Iterator[tuple[int, list[bytes]]]:
        entries = self.header.entries
        seq = 0
        chunk: list[bytes] = []
        try:
            for line in self.lines:
                if seq + len(chunk) == entries:
                    self.fault = RefusedError(FORM, f"there are more than {entries} entries")
                    break
                chunk.append(line)
                if len(chunk) == CHUNK_LINES:
                    yield seq, chunk
                    seq, chunk = seq + len(chunk), []
        except InvalidError as error:
            self.fault = RefusedError(FORM, str(error), seq + len(chunk))
        if chunk:
            yield seq, chunk
        seq += len(chunk)
        if self.fault is None and seq < entries:
            self.fault = RefusedError(FORM, f"there are {seq} entries, line 1 says {entries}")


def _open(lines: Iterator[bytes], trust: Trust, org: str | None) -> tuple[Header, Signed]:
    """Steps 1 and 2 over line 1."""
    step = FORM
    try:
        first = parse_first(next(lines, b""))
        step = CHECKPOINT
        signed = open_trusted(first["checkpoint"], trust)
        if first["origin"] != signed.checkpoint.origin:
            raise InvalidError("line 1 names another origin than its checkpoint")
        step = FORM
        return parse_header(first, org), signed
    except InvalidError as error:
        raise RefusedError(step, f"line 1: {error}") from error


def _check_head(header: Header, chain: Part, checkpoint: Checkpoint) -> None:
    """Step 8: the last line's entry is in the checkpoint's tree."""
    last = header.entries - 1
    if chain.last is None or chain.last.index != header.head.index:
        raise RefusedError(HEAD, "head.index is not the last line's index", last)
    try:
        verify_inclusion(
            chain.leaf(last),
            header.head.index,
            checkpoint.size,
            header.head.proof,
            checkpoint.root,
        )
    except ProofError as error:
        raise RefusedError(HEAD, f"the last entry is not in the log: {error}", last) from error


def _check_census(census: Census, header: Header, chain: Part, checkpoint: Checkpoint) -> None:
    """Step 9: a census in this tree counts this chain at some seq."""
    try:
        entry = parse_entry(census.text, checkpoint.origin)
        if entry.kind != "census":
            raise InvalidError(f"it is a {entry.kind}")
        verify_inclusion(
            leaf_hash(census.text.encode()),
            census.place.index,
            checkpoint.size,
            census.place.proof,
            checkpoint.root,
        )
    except InvalidError as error:
        raise RefusedError(CENSUS, f"the census: {error}") from error
    details = entry.shown["details"]
    root = bytes.fromhex(details["root"])
    # From the newest entry down: honest exports find themselves within the entries of a day.
    for seq in range(header.entries - 1, -1, -1):
        member = {"head": chain.leaf(seq).hex(), "org": header.org, "seq": seq}
        leaf = leaf_hash(canonical.encode(member))
        try:
            verify_inclusion(leaf, census.member.index, details["orgs"], census.member.proof, root)
        except ProofError:
            continue
        return
    raise RefusedError(CENSUS, "the census counts more of this chain, another chain, or none of it")


def _check_history(
    header: Header, chain: Part, checkpoint: Checkpoint, trust: Trust, memory: Memory
) -> None:
    """Step 10: this tree continues the older one, this chain holds the older head."""
    if memory.checkpoint is not None:
        try:
            old, _ = open_checkpoint(memory.checkpoint, trust.key)
            proof: list[bytes] = []
            if 0 < old.size < checkpoint.size:
                consistency = header.consistency
                if consistency is None or consistency.size != old.size:
                    raise ProofError(f"no consistency proof from size {old.size} is given")
                proof = consistency.proof
            verify_consistency(old.size, old.root, checkpoint.size, checkpoint.root, proof)
        except InvalidError as error:
            raise RefusedError(HISTORY, f"the older checkpoint: {error}") from error
    head = memory.head
    if head is not None and (head.seq >= header.entries or chain.leaf(head.seq).hex() != head.hash):
        raise RefusedError(HISTORY, "the older head is not in this chain", head.seq)
