"""A log recomputed from what is stored, entry by entry, and compared with what was recorded.

Rules: hashes are over stored bytes, judged by the verifier's own code; whatever can be recomputed
is; a finding never ends the check. Memory grows with organizations and funds, not with entries.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from amply_verify import canonical
from amply_verify.entry import Entry, check_opening, parse_entry
from amply_verify.errors import InvalidError
from amply_verify.kinds import KINDS
from amply_verify.money import Line, MoneyReader
from amply_verify.note import Checkpoint
from amply_verify.source import ReadFile, open_log
from amply_verify.tree import Frontier, leaf_hash, root_of
from ledger.accounts import is_known
from ledger.census import member_leaf
from ledger.chain import Head
from ledger.entry import parse_time
from ledger.findings import Findings
from ledger.projection import Books, StoredEntry, Sums
from ledger.tiles import File, Growth

DONOR: Final = "donor"


def published_log(location: str) -> ReadFile:
    """Reads a log's public files in a folder or at an http(s) address.

    A folder that is not there is one without files: whether there should be some, the check knows.
    Raises UnreadableError, now or when reading, if what is there cannot be read.
    """
    if "://" not in location and not Path(location).exists():
        return lambda path: None
    return open_log(location)


class Recomputation:
    """The log so far. `sums` hold the entries below `projected`, until their day was compared."""

    def __init__(self, log: int, origin: str, projected: int, findings: Findings) -> None:
        self.frontier = Frontier()
        self.chains: dict[str, Head] = {}
        self.books = Books()
        self.sums = Sums()
        self.openings = 0
        self.time = ""
        self._log = log
        self._origin = origin
        self._projected = projected
        self._findings = findings
        self._money = MoneyReader()
        self._platform: str | None = None

    def take(self, entry: StoredEntry, openings: Mapping[str, bytes | None]) -> Entry | None:
        """Judge the next entry and its openings (section -> plain, None for a ciphertext).

        Returns the entry if it can be read.
        """
        leaf = leaf_hash(entry.data)
        if leaf != entry.leaf_hash:
            self._find("leaf_hash", entry, "is not what was hashed")
        parsed = self._parse(entry)
        if parsed is not None:
            self._check_columns(entry, parsed)
            self._check_chain(entry, parsed)
            if parsed.kind == "census":
                self._check_census(entry, parsed)
            postings = self._postings(entry, parsed, openings)
            self.books.add(self._log, entry, postings)
            if entry.at < self._projected:
                self.sums.add(entry, parsed.visibility, postings)
        self.chains[entry.organization] = Head(self._log, entry.seq, leaf)
        self.frontier.append(leaf)
        self.openings += len(openings)
        return parsed

    def _find(self, code: str, entry: StoredEntry, what: str) -> None:
        message = f"the entry at index {entry.at} {what}"
        self._findings.add(code, message, entry.at, entry.organization)

    def _parse(self, entry: StoredEntry) -> Entry | None:
        try:
            return parse_entry(entry.data, self._origin)
        except InvalidError as error:
            self._find("entry", entry, f"is no valid entry: {error}")
            return None

    def _check_columns(self, entry: StoredEntry, parsed: Entry) -> None:
        seal = parsed.seals.get(DONOR)
        columns = {
            "organization": (entry.organization, parsed.org),
            "seq": (entry.seq, parsed.seq),
            "id": (entry.id, parsed.id),
            "kind": (entry.kind, parsed.kind),
            "donor_seal": (entry.donor_seal.hex() if entry.donor_seal else None, seal),
            "recorded_at": (entry.recorded_at, parse_time(parsed.time)),
        }
        for name, (stored, hashed) in columns.items():
            if stored != hashed:
                self._find("column", entry, f"has another {name} in its row than in its bytes")

    def _check_chain(self, entry: StoredEntry, parsed: Entry) -> None:
        head = self.chains.get(parsed.org)
        seq, prev = (0, None) if head is None else (head.seq + 1, head.leaf_hash.hex())
        if parsed.seq != seq:
            self._find("chain", entry, f"has seq {parsed.seq} where {seq} is due")
        if parsed.prev != prev:
            self._find("chain", entry, "does not name the hash of the entry before it")
        if parsed.time < self.time:
            self._find("time", entry, "is dated before the entry before it")
        self.time = max(self.time, parsed.time)
        if entry.at == 0:
            self._platform = parsed.org
        if KINDS[parsed.kind].platform and parsed.org != self._platform:
            self._find("entry", entry, "is of a kind that only the platform records")

    def _check_census(self, entry: StoredEntry, parsed: Entry) -> None:
        details = parsed.shown["details"]
        leaves = (
            member_leaf(organization, head.seq, head.leaf_hash)
            for organization, head in sorted(self.chains.items())
        )
        found = (len(self.chains), root_of(leaves).hex())
        if (details["orgs"], details["root"]) != found:
            self._find("census", entry, "is a census of other chains than were there")

    def _postings(
        self, entry: StoredEntry, parsed: Entry, openings: Mapping[str, bytes | None]
    ) -> list[tuple[Line, int]]:
        money: object = parsed.shown.get("money")
        for section in openings.keys() - parsed.seals.keys():
            self._find("opening", entry, f"has an opening of {section}, which it does not seal")
        for section in parsed.seals.keys() - {DONOR}:
            plain = openings.get(section)
            if plain is None:
                self._find("opening", entry, f"has lost the opening of its {section}")
                continue
            try:
                opened = check_opening(parsed, section, canonical.parse(plain))
            except InvalidError as error:
                self._find("opening", entry, f"has a wrong opening of {section}: {error}")
                continue
            if section == "money":
                money = opened.value
        if money is None:
            return []
        try:
            postings = self._money.parse(money).amounts_minor
        except InvalidError as error:
            self._find("money", entry, f"has money that cannot be: {error}")
            return []
        for line, _ in postings:
            if not is_known(line.account):
                self._find("money", entry, f"posts to {line.account}, which is no account")
        return postings


class FilesCheck:
    """Compares entries with the published tiles and bundles of a checkpoint's tree."""

    def __init__(self, read: ReadFile, checkpoint: Checkpoint, findings: Findings) -> None:
        self._read = read
        self._checkpoint = checkpoint
        self._findings = findings
        self._growth = Growth()
        self._partials: dict[int | str, File] = {}

    def take(self, entries: Sequence[bytes]) -> None:
        """Compare the next entries, as far as they are published."""
        rest = entries[: self._checkpoint.size - self._growth.size]
        if not rest:
            return
        for file in self._growth.extend(rest):
            if file.is_full:
                self._partials.pop(file.level, None)
                self._compare(file)
            else:
                self._partials[file.level] = file
        if self._growth.size == self._checkpoint.size:
            self._finish()

    def _finish(self) -> None:
        for file in self._partials.values():
            self._compare(file)
        if self._growth.root() != self._checkpoint.root:
            size = self._checkpoint.size
            message = (
                f"the first {size} entries do not lead to the root of the published checkpoint"
            )
            self._findings.add("published", message)

    def _compare(self, file: File) -> None:
        published = self._read(file.path)
        if published is None and not file.is_full:
            # A newer checkpoint's full tile may have taken its place meanwhile.
            full = self._read(file.path.partition(".p/")[0])
            published = None if full is None else full[: len(file.data)]
        if published != file.data:
            how = "is missing" if published is None else "is not made of the stored entries"
            index = file.number * 256 if file.level in (0, "entries") else None
            self._findings.add("published", f"the published file {file.path} {how}", index)
