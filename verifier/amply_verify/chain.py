"""Steps 2 to 7 over the lines of one organization's export.

The fault that counts is of the first step that fails over *all* lines, then of the lowest `seq`.
So a fault ends its step and the later ones only: lines behind it still go through those before.
A chain is judged in segments, which know nothing of each other and may be judged in any process;
joining them in order adds what concerns more than one: links, repetitions, references.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from amply_verify.entry import ENTRY_BYTES_MAX, Entry, check_entry, open_sections
from amply_verify.errors import InvalidError, RefusedError
from amply_verify.export_form import Row, parse_row
from amply_verify.figures import Figures
from amply_verify.kinds import KINDS
from amply_verify.money import MoneyReader
from amply_verify.tree import HASH_BYTES, leaf_hash

FORM, ENTRIES, CHAIN, OPENINGS, MONEY, REFS = 2, 3, 4, 5, 6, 7
_END = 99

Key = TypeVar("Key")


class Fault(NamedTuple):
    """A step that failed at a line; the least of several faults is the one that counts."""

    step: int
    seq: int
    message: str


@dataclass(slots=True)
class Link:
    """What ties an entry to its neighbours."""

    prev: str | None
    index: int
    time: str


@dataclass(slots=True)
class Part:
    """What is known of consecutive entries of a chain from `seq` on; `leaves` are joined hashes.

    `ids`, `seals` and `salts` lead to the seq that first had them; `refs` are (seq, id) of
    references that these entries do not resolve themselves.
    """

    seq: int
    figures: Figures
    count: int = 0
    fault: Fault | None = None
    leaves: bytearray = field(default_factory=bytearray)
    first: Link | None = None
    last: Link | None = None
    ids: dict[str, int] = field(default_factory=dict)
    seals: dict[str, int] = field(default_factory=dict)
    salts: dict[bytes, int] = field(default_factory=dict)
    refs: list[tuple[int, str]] = field(default_factory=list)
    genesis_index: int | None = None
    platform_kind_seq: int | None = None

    @property
    def limit(self) -> int:
        """The first step that need not be looked at any more."""
        return _END if self.fault is None else self.fault.step

    def refuse(self, step: int, seq: int, message: str) -> None:
        """Note a fault, unless one that counts more is known."""
        fault = Fault(step, seq, message)
        if self.fault is None or fault < self.fault:
            self.fault = fault

    def leaf(self, seq: int) -> bytes:
        """The leaf hash of the entry at `seq`."""
        start = (seq - self.seq) * HASH_BYTES
        return bytes(self.leaves[start : start + HASH_BYTES])


class Segment:
    """Judges consecutive lines alone: steps 2 to 7 as far as they concern these lines only."""

    def __init__(self, seq: int, org: str, origin: str, now: str) -> None:
        self.part = Part(seq, Figures(now))
        self._org = org
        self._origin = origin
        self._money = MoneyReader()
        self._leaf = ""

    def judge(self, line: bytes) -> None:
        """Take the next line through the steps that nothing failed before."""
        part = self.part
        seq, limit, step = part.seq + part.count, part.limit, FORM
        part.count += 1
        try:
            row = parse_row(line, self._org)
            leaf = leaf_hash(row.text)
            part.leaves += leaf
            step = ENTRIES
            if limit > ENTRIES:
                entry = self._entry(seq, row)
            if limit > CHAIN:
                step = CHAIN
                self._link(seq, entry, row.index)
                self._leaf = leaf.hex()
            if limit > OPENINGS:
                step = OPENINGS
                opened = open_sections(entry, row.openings, part.salts)
            if limit > MONEY:
                step = MONEY
                section = entry.shown.get("money", opened.get("money"))
                postings = None if section is None else self._money.parse(section)
            if limit > REFS:
                step = REFS
                self._refer(seq, entry)
                part.figures.add(entry, opened.keys(), postings)
        except InvalidError as error:
            part.refuse(step, seq, str(error))

    def _entry(self, seq: int, row: Row) -> Entry:
        if row.fault is not None:
            raise InvalidError(row.fault)
        if len(row.text) > ENTRY_BYTES_MAX:
            raise InvalidError(f"an entry has at most {ENTRY_BYTES_MAX} bytes")
        entry = check_entry(row.value, self._origin)
        if entry.seq == 0 and self.part.genesis_index is None:
            self.part.genesis_index = row.index
        if KINDS[entry.kind].platform and self.part.platform_kind_seq is None:
            self.part.platform_kind_seq = seq
        return entry

    def _link(self, seq: int, entry: Entry, index: int) -> None:
        part = self.part
        if entry.seq != seq:
            raise InvalidError(f"the chain goes on with seq {entry.seq} where {seq} is due")
        link = Link(entry.prev, index, entry.time)
        if part.last is None:
            part.first = link
        else:
            _check_link(self._leaf, part.last, link)
        part.last = link
        if part.ids.setdefault(entry.id, seq) != seq:
            raise InvalidError("this id is used twice")
        for digest in entry.seals.values():
            if digest in part.seals:
                raise InvalidError("this seal is used twice")
            part.seals[digest] = seq

    def _refer(self, seq: int, entry: Entry) -> None:
        if entry.ref == entry.id:
            raise InvalidError("ref names the entry itself")
        if entry.ref is not None and entry.ref not in self.part.ids:
            self.part.refs.append((seq, entry.ref))


def judge_lines(lines: Sequence[bytes], seq: int, org: str, origin: str, now: str) -> Part:
    """Judge the lines of `org` that stand at `seq` and after it."""
    segment = Segment(seq, org, origin, now)
    for line in lines:
        segment.judge(line)
        if segment.part.limit <= FORM:
            break
    return segment.part


def join(chain: Part, later: Part) -> None:
    """Append a segment's part to the chain before it, judging what concerns both."""
    if later.fault is not None:
        chain.refuse(*later.fault)
    if chain.limit >= CHAIN and later.first is not None:
        try:
            prev = chain.leaf(later.seq - 1).hex() if later.seq else None
            _check_link(prev, chain.last or Link(None, -1, ""), later.first)
        except InvalidError as error:
            chain.refuse(CHAIN, later.seq, str(error))
    _unite(chain, CHAIN, chain.ids, later.ids, "this id is used twice")
    _unite(chain, CHAIN, chain.seals, later.seals, "this seal is used twice")
    _unite(chain, OPENINGS, chain.salts, later.salts, "this salt is used twice")
    for seq, ref in later.refs:
        if chain.ids.get(ref, seq) >= seq:
            chain.refuse(REFS, seq, "ref names no earlier entry of this organization")
    chain.count += later.count
    chain.leaves += later.leaves
    chain.first, chain.last = chain.first or later.first, later.last
    chain.figures.merge(later.figures)
    if chain.genesis_index is None:
        chain.genesis_index = later.genesis_index
    if chain.platform_kind_seq is None:
        chain.platform_kind_seq = later.platform_kind_seq


def finish(chain: Part) -> None:
    """Judge what only the whole chain shows; raises RefusedError for the fault that counts."""
    if chain.platform_kind_seq is not None and chain.genesis_index != 0:
        chain.refuse(
            ENTRIES,
            chain.platform_kind_seq,
            "only the log's platform organization records this kind",
        )
    if chain.fault is not None:
        raise RefusedError(chain.fault.step, chain.fault.message, chain.fault.seq)


def _check_link(prev: str | None, before: Link, link: Link) -> None:
    if link.prev != prev:
        raise InvalidError("prev is not the hash of the entry before")
    if link.index <= before.index:
        raise InvalidError("the index does not grow")
    if link.time < before.time:
        raise InvalidError("the time goes back")


def _unite(
    chain: Part, step: int, known: dict[Key, int], later: dict[Key, int], message: str
) -> None:
    if not known.keys().isdisjoint(later):
        chain.refuse(step, min(later[key] for key in known.keys() & later.keys()), message)
    known.update(later)
