"""What a monitor keeps between two looks at a log, in a directory of its own.

`checkpoint`: the last good note, for people and other tools. `state.sqlite`: the same note and all
that judging the next entries needs, committed as one. `evidence/`: what was refused, kept for ever.
A state that another key, a damage or another program left behind is refused, not repaired; its
digest is no signature, so keep the directory where only the monitor writes.
"""

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from amply_verify.errors import InvalidError, UnreadableError
from amply_verify.log_chains import LogChains
from amply_verify.note import Checkpoint, VerifierKey, open_checkpoint
from amply_verify.source import read_bounded
from amply_verify.store import Store, StoreError
from amply_verify.tree import Frontier

_FACTS = frozenset(("key", "note", "size", "frontier", "platform", "time", "seals", "changed_s"))


class MonitorState:
    """The state in `folder`, which it makes; raises UnreadableError when it must not be used."""

    def __init__(self, folder: Path, key: VerifierKey) -> None:
        self.folder = folder
        self._key = key
        folder.mkdir(parents=True, exist_ok=True)
        self.store = Store(folder / "state.sqlite")
        try:
            self.load()
        except BaseException:
            self.store.close()
            raise

    def load(self) -> None:
        """Take up what was last saved, and nothing since."""
        self.chains = LogChains(self.store)
        self.note: str | None = None
        self.checkpoint: Checkpoint | None = None
        self.changed_s = 0
        """When the newest note was first seen, in seconds since the epoch."""
        try:
            self.store.rollback()
            facts = self.store.facts()
            self.saved = bool(facts)
            if facts:
                self._take_up(facts)
            elif (self.folder / "checkpoint").exists():
                # A checkpoint that somebody kept before there was a monitor.
                self._take_note(read_bounded(self.folder / "checkpoint").decode())
        except (StoreError, InvalidError, ValueError, KeyError, TypeError) as error:
            raise UnreadableError(
                f"the state in {self.folder} was damaged or changed ({error}); find out by what,"
                " then begin a new one in another directory, with this `checkpoint` in it"
            ) from error

    def save(self, note: str, checkpoint: Checkpoint, changed_s: int) -> None:
        """Keep a good note and all that was joined to the chains, or nothing of it."""
        chains = self.chains
        facts = {
            "key": str(self._key),
            "note": note,
            "size": str(chains.frontier.size),
            "frontier": b"".join(chains.frontier.hashes).hex(),
            "platform": chains.platform or "",
            "time": chains.time,
            "seals": str(chains.seals),
            "changed_s": str(changed_s),
        }
        self.store.put_heads((org, chains.heads[org]) for org in sorted(chains.changed))
        chains.changed.clear()
        self.store.put_facts((facts | {"digest": self._digest(facts)}).items())
        self.store.commit()
        self.note, self.checkpoint, self.changed_s = note, checkpoint, changed_s
        self.saved = True
        replace_file(self.folder / "checkpoint", note.encode())

    def keep_evidence(self, evidence: Mapping[str, Any]) -> Path:
        """Write down what was refused; the same evidence twice is one file."""
        data = json.dumps(evidence, indent=1, sort_keys=True).encode() + b"\n"
        folder = self.folder / "evidence"
        folder.mkdir(exist_ok=True)
        path = folder / f"{sha256(data).hexdigest()[:32]}.json"
        if not path.exists():
            replace_file(path, data)
        return path

    def close(self) -> None:
        """Give the directory back."""
        self.store.close()

    def _take_up(self, facts: dict[str, str]) -> None:
        digest = facts.pop("digest")
        if facts["key"] != str(self._key):
            raise UnreadableError(
                f"{self.folder} is the state of another key ({facts['key']});"
                " every key needs a directory of its own"
            )
        if facts.keys() != _FACTS or digest != self._digest(facts):
            raise InvalidError("its digest is another")
        checkpoint = self._take_note(facts["note"])
        size, joined = int(facts["size"]), bytes.fromhex(facts["frontier"])
        hashes = [joined[start : start + 32] for start in range(0, len(joined), 32)]
        chains = self.chains
        chains.frontier = Frontier(size, hashes)
        if size == checkpoint.size and chains.frontier.root() != checkpoint.root:
            raise InvalidError("its tree is not that of its checkpoint")
        if size > checkpoint.size or self.store.counts() != (size, int(facts["seals"])):
            raise InvalidError("its ids or seals are not all there")
        chains.platform, chains.time = facts["platform"] or None, facts["time"]
        chains.seals, chains.heads = int(facts["seals"]), self.store.heads()
        self.changed_s = int(facts["changed_s"])

    def _take_note(self, note: str) -> Checkpoint:
        checkpoint, _ = open_checkpoint(note, self._key)
        self.note, self.checkpoint = note, checkpoint
        return checkpoint

    def _digest(self, facts: Mapping[str, str]) -> str:
        digest = sha256()
        for pair in sorted(facts.items()):
            digest.update(repr(pair).encode())
        for head in self.store.heads().items():
            digest.update(repr(head).encode())
        return digest.hexdigest()


def replace_file(path: Path, data: bytes) -> None:
    """Write a file so that after any crash it is the old or the new one."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
