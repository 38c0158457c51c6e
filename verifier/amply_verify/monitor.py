"""Following a log: every new checkpoint must continue the last good one, in time.

1. The note is signed by the log's key, and cosigned as a policy asks. 2. Its history continues that
of the last good note; a fork is kept as evidence. 3. The entries between the two are judged like
those of an audit, each organization's chain from where it stood. 4. Only then is it the last good
one. It is late when it did not change for too long, or by its witnesses' clocks was not fresh.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from amply_verify.audit import extend
from amply_verify.canonical import to_base64
from amply_verify.errors import RefusedError, Step, UnreadableError
from amply_verify.history import Comparison, Side, compare
from amply_verify.log_files import check_note
from amply_verify.monitor_state import MonitorState
from amply_verify.note import Checkpoint
from amply_verify.source import ReadFile
from amply_verify.terminal import Progress
from amply_verify.trust import Signed, Trust

OK, INCONSISTENT, LATE, MISSING, STATE = "ok", "inconsistent", "late", "missing", "state"
NOTES_KEPT = 10_000


class Outcome(NamedTuple):
    """What one look at the log gave: a reason, one sentence, and where the evidence is."""

    reason: str
    message: str
    size: int | None = None
    step: Step | None = None
    seq: int | None = None
    place: int | None = None
    evidence: str | None = None


@dataclass(slots=True)
class Monitor:
    """Judges note after note. `read` reads the log's files; without it there are notes only.

    `from_topic`: notes may come again and in any order, as a topic gives them after a restart.
    """

    state: MonitorState
    trust: Trust
    read: ReadFile | None
    max_age_s: float | None = None
    from_topic: bool = False
    processes: int = 1
    progress: Progress | None = None

    def see(self, note: str, now_s: int) -> Outcome:
        """Judge the newest note; raises UnreadableError when a file could not be had."""
        state = self.state
        comparison: list[Comparison] = []
        try:
            signed = check_note(note, self.trust)
            if self._is_news(note, signed, comparison.append):
                self._extend(signed.checkpoint)
        except RefusedError as error:
            path = state.keep_evidence(_evidence(state.note, note, error, comparison))
            state.load()
            message = f"{error.message}; the notes are kept in {path}"
            return Outcome(
                INCONSISTENT, message, None, error.step, error.seq, error.index, str(path)
            )
        except BaseException:
            state.load()
            raise
        new, last = signed.checkpoint, state.checkpoint
        if last is None or new.size >= last.size:
            state.store.put_note(new.size, new.root, note, NOTES_KEPT)
            if note != state.note or not state.saved:
                state.save(note, new, now_s)
        return self.lateness(now_s) or self._right(new, last)

    def lateness(self, now_s: int) -> Outcome | None:
        """Late, when the last good checkpoint is older than it may be."""
        if self.max_age_s is None or self.state.note is None or not self.state.saved:
            return None
        since_s, what = self.state.changed_s, "the checkpoint did not change"
        size = None if self.state.checkpoint is None else self.state.checkpoint.size
        witnessed_s = _witnessed_s(self.state.note, self.trust)
        if witnessed_s is not None:
            since_s, what = witnessed_s, "its witnesses did not see the log"
        if now_s - since_s <= self.max_age_s:
            return None
        message = f"{what} for {now_s - since_s} seconds, at most {self.max_age_s:g} are allowed"
        return Outcome(LATE, message, size)

    def _is_news(self, note: str, signed: Signed, found: Callable[[Comparison], None]) -> bool:
        """Whether the note goes on from the last good one; raises RefusedError if it cannot."""
        state, new = self.state, signed.checkpoint
        seen = state.store.note_of(new.size)
        last = state.note if seen is None or seen[0] == new.root else seen[1]
        if last is None or state.checkpoint is None:
            return True
        before = Side("the last good checkpoint", last, check_note(last, Trust(self.trust.key)))
        old = before.checkpoint
        if new.size < old.size and self.from_topic:
            return False
        try:
            compared = compare(before, Side("the log", note, signed, self.read))
        except UnreadableError:
            if self.read is not None and new.size > old.size:
                # Files that are missing or wrong are named by the audit, which is to fail now.
                self._extend(new)
                raise
        else:
            if compared.forked:
                found(compared)
                message = f"a fork: at size {compared.smaller.checkpoint.size} there are two roots"
                raise RefusedError("A6", message)
            if new.size < old.size and self.trust.asks_witnesses:
                # Known from before there was a policy; lateness tells if it stays like this.
                return False
        if new.size < old.size:
            raise RefusedError("A6", f"the log had {old.size} entries and now has {new.size}")
        return True

    def _extend(self, new: Checkpoint) -> None:
        """Judge the entries that are new; raises RefusedError."""
        chains = self.state.chains
        if self.read is not None and chains.frontier.size < new.size:
            extend(chains, self.read, new, (), self.processes, self.progress)

    def _right(self, new: Checkpoint, last: Checkpoint | None) -> Outcome:
        where = f"{new.origin}, a log of {new.size} entries"
        if last is None:
            message = f"{where}, seen for the first time"
        elif new.size > last.size:
            message = f"{where}, {new.size - last.size} more than before"
        elif new.size < last.size:
            message = f"{where}, an older checkpoint that comes again"
        else:
            message = f"{where}, none more than before"
        if self.read is None:
            message += ", judged by its notes alone"
        return Outcome(OK, message, new.size)


def _witnessed_s(note: str, trust: Trust) -> int | None:
    """When the witnesses that the policy asks for had last all seen the checkpoint, if ever."""
    if trust.policy is None or not trust.asks_witnesses:
        return None
    try:
        signed = check_note(note, trust)
    except RefusedError:
        # It was good before there was this policy.
        return None
    met: set[tuple[str, bytes]] = set()
    for who in sorted(signed.cosignatures, key=lambda who: -who.time_s):
        met.add((who.name, who.key_id))
        if trust.policy.is_met(met):
            return who.time_s
    return None


def _evidence(
    last: str | None, note: str, error: RefusedError, compared: list[Comparison]
) -> dict[str, Any]:
    evidence: dict[str, Any] = {
        "step": error.step,
        "message": error.message,
        "index": error.index,
        "notes": [last, note],
    }
    for comparison in compared:
        evidence["notes"] = [comparison.smaller.note, comparison.larger.note]
        evidence |= proof_fields(comparison)
    return evidence


def proof_fields(comparison: Comparison) -> dict[str, Any]:
    """The fields that prove a fork: the root that the larger note's history has instead."""
    return {
        "root_at_smaller_size": to_base64(comparison.root),
        "consistency_proof": [to_base64(item) for item in comparison.proof],
    }
