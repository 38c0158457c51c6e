"""Audit steps A3 to A5 over the parts of a whole log, joined in log order.

A log's state is what must be known to go on: every organization's last entry, the time, the
platform, the frontier of the tree, and in the store all ids and seals. So an audit starts from
nothing, and a monitor from where it stopped.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from amply_verify.log_part import (
    ID,
    REF,
    SEAL,
    TIME,
    Census,
    Fault,
    Part,
    leaf_at,
    link_fault,
)
from amply_verify.store import Head, Store
from amply_verify.tree import Frontier, leaf_hash, root_of


@dataclass(slots=True)
class LogChains:
    """What is known after the parts so far; the log is right while `fault` is None."""

    store: Store
    frontier: Frontier = field(default_factory=Frontier)
    platform: str | None = None
    time: str = ""
    heads: dict[str, Head] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    """Organizations whose head is not in the store yet."""
    seals: int = 0
    """How many seals are in the store."""
    censuses: int = 0
    fault: Fault | None = None
    full: list[bytes] = field(default_factory=list)
    """The hashes of the full level 0 tiles of the parts joined."""

    def join(self, part: Part) -> None:
        """Take in the next part."""
        self._extend_tree(part)
        if self.fault is not None and self.fault.step == "A3":
            return
        known = self.fault
        if part.platform is not None:
            self.platform = part.platform
        self._refuse(part.fault)
        for index, org, seq in part.platform_kinds:
            if org != self.platform:
                message = "only the log's platform organization records this kind"
                self._refuse(Fault("A3", index, 0, message, seq))
        if known is not None and known.step == "A4":
            return
        if self.fault is not None and self.fault.step == "A3":
            return
        self._link(part)
        self._check_censuses(part)

    def _extend_tree(self, part: Part) -> None:
        """The hash of a full tile is the frontier's hash over its 256 leaves."""
        self.full += part.full
        tiles = self.frontier
        if part.full:
            size = part.start // 256
            kept = tiles.hashes[: size.bit_count()]
            tiles = Frontier(size, kept)
            tiles.extend(part.full)
            self.frontier = Frontier(tiles.size * 256, tiles.hashes)
        if part.tail:
            size = (self.frontier.size // 256) * 256
            self.frontier = Frontier(size, self.frontier.hashes[: size.bit_count()])
            self.frontier.extend(part.tail)

    def _refuse(self, fault: Fault | None) -> None:
        if fault is not None and (self.fault is None or fault < self.fault):
            self.fault = fault

    def _link(self, part: Part) -> None:
        """A4 where a part meets those before it."""
        if not part.ids:
            return
        if self.platform is None:
            message = "the entry at index 0 is not the platform's genesis"
            self._refuse(Fault("A4", part.start, -1, message, None))
        if part.first_time < self.time:
            self._refuse(Fault("A4", part.start, TIME, "the time goes back", part.seqs[0]))
        self.time = part.last_time
        numbers = array("L")
        for org, chain in part.chains.items():
            head = self.heads.get(org)
            seq, leaf = (-1, None) if head is None else (head.seq, head.leaf)
            broken = link_fault(org, seq, leaf, chain.first_seq, chain.prev)
            if broken is not None:
                self._refuse(Fault("A4", chain.index, *broken, chain.first_seq))
            numbers.append(len(self.heads) if head is None else head.number)
            if head is None:
                self.heads[org] = Head(numbers[-1], -1, b"")
        self._check_unique(part, numbers)
        self._check_refs(part, numbers)

    def _check_unique(self, part: Part, numbers: "array[int]") -> None:
        rows = [
            (entry_id, numbers[owner], index)
            for index, (entry_id, owner) in enumerate(
                zip(part.ids, part.owners, strict=True), part.start
            )
        ]
        self.seals += len(part.seals)
        for rule, message, index in (
            (ID, "this id is used twice", self.store.add_ids(rows)),
            (SEAL, "a seal is used twice", self.store.add_seals(part.seals)),
        ):
            if index is not None:
                seq = part.seqs[index - part.start]
                self._refuse(Fault("A4", index, rule, message, seq))

    def _check_refs(self, part: Part, numbers: "array[int]") -> None:
        for index, ref in part.refs:
            place = self.store.place_of(ref)
            owner = numbers[part.owners[index - part.start]]
            if place is None or place[0] != owner or place[1] >= index:
                message = "ref names no earlier entry of this organization"
                seq = part.seqs[index - part.start]
                self._refuse(Fault("A4", index, REF, message, seq))

    def _check_censuses(self, part: Part) -> None:
        """A5: a census counts every organization as the log stood before it."""
        orgs = list(part.chains)
        done = 0
        for census in part.censuses:
            offset = census.place - part.start
            for position in range(done, offset):
                org = orgs[part.owners[position]]
                number = self.heads[org].number
                self.heads[org] = Head(number, part.seqs[position], leaf_at(part, position))
            done = offset
            if self.fault is None:
                self._check_census(census)
        for org, chain in part.chains.items():
            self.heads[org] = Head(self.heads[org].number, chain.seq, chain.leaf)
        self.changed.update(orgs)

    def _check_census(self, census: Census) -> None:
        heads = sorted((org, head) for org, head in self.heads.items() if head.seq >= 0)
        if census.orgs != len(heads):
            message = f"the census counts {census.orgs} chains, there were {len(heads)}"
        elif census_root(heads).hex() != census.root:
            message = "the census's root is not that of the chains before it"
        else:
            self.censuses += 1
            return
        self._refuse(Fault("A5", census.place, 0, message, census.seq))


def census_root(heads: Iterable[tuple[str, Head]]) -> bytes:
    """The root over the heads of organizations, sorted by organization (section 5)."""
    # Heads, ids and numbers have nothing to escape: these are the canonical bytes.
    member = b'{"head":"%b","org":"%b","seq":%d}'
    return root_of(
        leaf_hash(member % (head.leaf.hex().encode(), org.encode(), head.seq))
        for org, head in heads
    )
