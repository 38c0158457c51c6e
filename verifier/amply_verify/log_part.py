"""One part of a whole log, judged alone (audit steps A2 to A4, A7): any process can do it.

What concerns more than one part is handed on as compact facts, which `log_chains` joins in order.
As in an export, the first step that fails over all entries counts, then the first entry.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from amply_verify.entry import Entry, parse_entry
from amply_verify.errors import InvalidError, RefusedError
from amply_verify.kinds import KINDS
from amply_verify.log_files import read_bundles
from amply_verify.money import MoneyReader
from amply_verify.source import ReadFile
from amply_verify.tiles import TILE_WIDTH, Tile
from amply_verify.tree import HASH_BYTES, fold

# The order in which the rules of A4 are looked at, for entries that break several.
SEQ, PREV, TIME, ID, REF, SEAL = range(6)


class Fault(NamedTuple):
    """A step that failed at index `place`; the least of several faults is the one that counts."""

    step: str
    place: int
    rule: int
    message: str
    seq: int | None = None

    def error(self) -> RefusedError:
        """The fault as the refusal that it leads to."""
        message = f"entry {self.place}: {self.message}"
        return RefusedError(self.step, message, self.seq, self.place)


class Task(NamedTuple):
    """What to judge: level 0 tiles, their entries from index `start` on.

    `claims` are (index, leaf hash, number of the file) that the log must agree with.
    """

    origin: str
    tiles: Sequence[Tile]
    start: int
    claims: Sequence[tuple[int, bytes, int]] = ()


@dataclass(slots=True)
class Stretch:
    """An organization's entries in a part: what the first says of before, and the last one."""

    number: int
    index: int
    first_seq: int
    prev: str | None
    seq: int
    leaf: bytes


class Census(NamedTuple):
    """A census as the platform recorded it, at index `place`."""

    place: int
    seq: int
    orgs: int
    root: str


@dataclass(slots=True)
class Part:
    """The facts of a part. `owners` gives each id's organization as its number in `chains`.

    `ids`, `owners`, `seqs` and `leaves` (joined hashes, kept only for a census) go on from index
    `start` without gaps.
    """

    start: int
    torn: tuple[str, int | None] | None = None
    fault: Fault | None = None
    full: list[bytes] = field(default_factory=list)
    """The hashes of the full tiles."""
    tail: list[bytes] = field(default_factory=list)
    """The leaf hashes of the partial tile at the end of the log."""
    platform: str | None = None
    platform_kinds: list[tuple[int, str, int]] = field(default_factory=list)
    chains: dict[str, Stretch] = field(default_factory=dict)
    first_time: str = ""
    last_time: str = ""
    ids: list[str] = field(default_factory=list)
    owners: "array[int]" = field(default_factory=lambda: array("L"))
    refs: list[tuple[int, str]] = field(default_factory=list)
    """(index, id) of references that the part does not resolve itself."""
    seals: list[tuple[bytes, int]] = field(default_factory=list)
    censuses: list[Census] = field(default_factory=list)
    seqs: "array[int]" = field(default_factory=lambda: array("Q"))
    leaves: bytearray = field(default_factory=bytearray)
    others: list[tuple[int, int]] = field(default_factory=list)
    """(index, number of the file) where a claim holds other bytes than the log."""


def judge_part(read: ReadFile, task: Task) -> Part:
    """Judge one part of the log; raises UnreadableError only."""
    judge = _Judge(task)
    part = judge.part
    said: dict[int, list[tuple[bytes, int]]] = {}
    for index, leaf, file in task.claims:
        said.setdefault(index, []).append((leaf, file))
    try:
        bundles = read_bundles(read, task.tiles)
        for tile, (entries, leaves) in zip(task.tiles, bundles, strict=True):
            first = tile.number * TILE_WIDTH
            if tile.width == TILE_WIDTH:
                part.full.append(fold(leaves))
            else:
                part.tail = leaves
            for index, (entry, leaf) in enumerate(zip(entries, leaves, strict=True), first):
                if index >= task.start:
                    judge.judge(index, entry, leaf)
                if index in said:
                    part.others += [(index, file) for claim, file in said[index] if claim != leaf]
    except RefusedError as error:
        part.torn = (error.message, error.index)
    if not part.censuses:
        part.leaves = bytearray()
    return part


class _Judge:
    """Takes the entries of a part in order."""

    def __init__(self, task: Task) -> None:
        self.part = Part(task.start)
        self._origin = task.origin
        self._money = MoneyReader()
        self._ids: dict[str, str] = {}
        self._seals: set[bytes] = set()

    def judge(self, index: int, data: bytes, leaf: bytes) -> None:
        """Take an entry through the steps that nothing failed before."""
        fault = self.part.fault
        if fault is not None and fault.step == "A3":
            return
        try:
            entry = self._alone(index, data)
        except InvalidError as error:
            self.part.fault = Fault("A3", index, 0, str(error))
            return
        if fault is None:
            broken = self._link(index, entry, leaf)
            if broken is not None:
                self.part.fault = Fault("A4", index, *broken, entry.seq)

    def _alone(self, index: int, data: bytes) -> Entry:
        """A3: the entry is valid; who may record its kind is known where the parts are joined."""
        entry = parse_entry(data, self._origin)
        if index == 0 and entry.kind == "genesis":
            self.part.platform = entry.org
        if KINDS[entry.kind].platform:
            self.part.platform_kinds.append((index, entry.org, entry.seq))
        if "money" in entry.shown:
            self._money.parse(entry.shown["money"])
        return entry

    def _link(self, index: int, entry: Entry, leaf: bytes) -> tuple[int, str] | None:
        """A4 as far as this part shows it; the rule that is broken, and how."""
        part = self.part
        broken = self._extend_chain(index, entry, leaf)
        if not part.first_time:
            part.first_time = entry.time
        elif entry.time < part.last_time:
            broken = broken or (TIME, "the time goes back")
        part.last_time = entry.time
        if entry.ref is not None and self._ids.get(entry.ref) != entry.org:
            part.refs.append((index, entry.ref))
        part.ids.append(entry.id)
        self._ids[entry.id] = entry.org
        for text in entry.seals.values():
            digest = bytes.fromhex(text)
            if digest in self._seals:
                broken = broken or (SEAL, "a seal is used twice")
            else:
                self._seals.add(digest)
                part.seals.append((digest, index))
        if entry.kind == "census":
            details = entry.shown["details"]
            part.censuses.append(Census(index, entry.seq, details["orgs"], details["root"]))
        return broken

    def _extend_chain(self, index: int, entry: Entry, leaf: bytes) -> tuple[int, str] | None:
        part = self.part
        broken = None
        chain = part.chains.get(entry.org)
        if chain is None:
            chain = Stretch(len(part.chains), index, entry.seq, entry.prev, entry.seq, leaf)
            part.chains[entry.org] = chain
        else:
            broken = link_fault(entry.org, chain.seq, chain.leaf, entry.seq, entry.prev)
            chain.seq, chain.leaf = entry.seq, leaf
        part.owners.append(chain.number)
        part.seqs.append(entry.seq)
        part.leaves += leaf
        return broken


def link_fault(
    org: str, head_seq: int, head: bytes | None, seq: int, prev: str | None
) -> tuple[int, str] | None:
    """Which rule an entry breaks behind the head of its chain (seq -1 and None at its start)."""
    if seq != head_seq + 1:
        return SEQ, f"{org} goes on with seq {seq} where {head_seq + 1} is due"
    if prev != (None if head is None else head.hex()):
        return PREV, f"prev is not the hash of {org}'s entry before"
    return None


def leaf_at(part: Part, offset: int) -> bytes:
    """The leaf hash of the entry at `start` + `offset`, in a part with a census."""
    return bytes(part.leaves[offset * HASH_BYTES : (offset + 1) * HASH_BYTES])
