"""Audit steps A3 to A5 over the entries of a whole log, in log order.

Keeps every organization's last entry and the whole log's ids and seals: some 300 bytes an entry. As
in an export, the first step that fails over all entries counts, then the first entry.
"""

from dataclasses import dataclass, field

from amply_verify import canonical
from amply_verify.entry import Entry, parse_entry
from amply_verify.errors import InvalidError, RefusedError
from amply_verify.kinds import KINDS
from amply_verify.money import MoneyReader
from amply_verify.tree import leaf_hash, root_of


@dataclass(slots=True)
class LogChains:
    """What is known after the entries so far; `heads` is organization -> (seq, leaf hash)."""

    origin: str
    fault: RefusedError | None = None
    heads: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    censuses: int = 0
    _platform: str | None = None
    _time: str = ""
    _ids: dict[str, str] = field(default_factory=dict)
    _seals: set[str] = field(default_factory=set)
    _money: MoneyReader = field(default_factory=MoneyReader)

    def judge(self, index: int, data: bytes, leaf: bytes) -> None:
        """Take the entry at `index` through the steps that nothing failed before."""
        limit = "A9" if self.fault is None else str(self.fault.step)
        seq: int | None = None
        step = "A3"
        try:
            if limit > "A3":
                entry = self._check_entry(index, data)
                seq = entry.seq
            if limit > "A4":
                step = "A4"
                self._link(entry)
                # A census tells how the log stood before itself.
                wrong = self._census_fault(entry) if entry.kind == "census" else None
                self.heads[entry.org] = (entry.seq, leaf)
                if wrong is not None:
                    step = "A5"
                    raise InvalidError(wrong)
        except InvalidError as error:
            if self.fault is None or step < str(self.fault.step):
                self.fault = RefusedError(step, f"entry {index}: {error}", seq, index)

    def _check_entry(self, index: int, data: bytes) -> Entry:
        """A3: the entry is valid, alone and as what the platform may record."""
        entry = parse_entry(data, self.origin)
        if index == 0 and entry.kind == "genesis":
            self._platform = entry.org
        if KINDS[entry.kind].platform and entry.org != self._platform:
            raise InvalidError("only the log's platform organization records this kind")
        if "money" in entry.shown:
            self._money.parse(entry.shown["money"])
        return entry

    def _link(self, entry: Entry) -> None:
        """A4: the organization's chain, and what is unique over the log."""
        if self._platform is None:
            raise InvalidError("the entry at index 0 is not the platform's genesis")
        seq, leaf = self.heads.get(entry.org, (-1, None))
        if entry.seq != seq + 1:
            raise InvalidError(f"{entry.org} goes on with seq {entry.seq} where {seq + 1} is due")
        if entry.prev != (None if leaf is None else leaf.hex()):
            raise InvalidError(f"prev is not the hash of {entry.org}'s entry before")
        if entry.time < self._time:
            raise InvalidError("the time goes back")
        if entry.id in self._ids:
            raise InvalidError("this id is used twice")
        if entry.ref is not None and self._ids.get(entry.ref) != entry.org:
            raise InvalidError("ref names no earlier entry of this organization")
        self._time = entry.time
        self._ids[entry.id] = entry.org
        for digest in entry.seals.values():
            if digest in self._seals:
                raise InvalidError("a seal is used twice")
            self._seals.add(digest)

    def _census_fault(self, entry: Entry) -> str | None:
        """A5: the census counts every organization as the log stood before it."""
        details = entry.shown["details"]
        if details["orgs"] != len(self.heads):
            return f"the census counts {details['orgs']} chains, there were {len(self.heads)}"
        members = (
            leaf_hash(canonical.encode({"head": leaf.hex(), "org": org, "seq": seq}))
            for org, (seq, leaf) in sorted(self.heads.items())
        )
        if root_of(members).hex() != details["root"]:
            return "the census's root is not that of the chains before it"
        self.censuses += 1
        return None
