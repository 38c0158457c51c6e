"""`amply-verify monitor`: looks at a log again and again, or reads notes from a topic, and alarms.

Where a log is read, a look is a poll of its `checkpoint`; from standard input, every record is one:
a JSON object with the signed note in its field `note`, or the note itself. An alarm runs a command
without a shell; what happened is in its environment. What is inconsistent ends the monitor.
"""

import json
import os
import queue
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import sleep
from typing import BinaryIO, TypeVar

from amply_verify.canonical import LINE_BYTES_MAX
from amply_verify.errors import RefusedError, UnreadableError
from amply_verify.log_files import read_note
from amply_verify.monitor import INCONSISTENT, LATE, MISSING, OK, STATE, Monitor, Outcome
from amply_verify.report import printable
from amply_verify.source import ReadFile
from amply_verify.store import StoreError

EXIT_CODES = {OK: 0, INCONSISTENT: 1, LATE: 1, MISSING: 2, STATE: 2}
COMMAND_TIMEOUT_S = 60
NOTE_LENGTH_MAX = 65_536
_SIGNATURE = "\u2014 "

Seen = TypeVar("Seen", Outcome, Outcome | None)
Tell = Callable[[Outcome], None]


@dataclass(slots=True)
class Alarm:
    """Runs a command once for every time that something begins to be wrong."""

    command: str | None
    origin: str
    location: str
    _reason: str = OK

    def hear(self, outcome: Outcome) -> None:
        """Run the command if the outcome is another trouble than the one before."""
        before, self._reason = self._reason, outcome.reason
        if self.command is None or outcome.reason in (OK, before):
            return
        variables = {
            "REASON": outcome.reason,
            "MESSAGE": printable(outcome.message),
            "LOG": self.origin,
            "LOCATION": printable(self.location),
            "SIZE": "" if outcome.size is None else str(outcome.size),
            "STEP": "" if outcome.step is None else str(outcome.step),
            "EVIDENCE": outcome.evidence or "",
        }
        environment = os.environ | {
            f"AMPLY_VERIFY_{name}": text for name, text in variables.items()
        }
        try:
            subprocess.run(
                shlex.split(self.command),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=2,  # standard error: --json has standard output for itself
                timeout=COMMAND_TIMEOUT_S,
                check=True,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            print(printable(f"the command of --command failed: {error}"), file=sys.stderr)


def follow_log(
    monitor: Monitor, read: ReadFile, tell: Tell, once: bool, interval_s: float
) -> Outcome:
    """Poll a log; returns the last outcome."""
    while True:
        outcome = _look(lambda: monitor.see(read_note(read, monitor.trust), int(time.time())))
        tell(outcome)
        if once or outcome.reason == INCONSISTENT:
            return outcome
        sleep(interval_s)


def follow_notes(
    monitor: Monitor, stream: BinaryIO, tell: Tell, once: bool, interval_s: float
) -> Outcome:
    """Judge the notes of a stream; returns the last outcome, at its end or when all went wrong."""
    records = read_records(stream, interval_s)
    last = Outcome(MISSING, "there was no checkpoint in the input")

    def see_next() -> Outcome | None:
        try:
            note = next(records)
        except StopIteration:
            return None
        if note is not None:
            return monitor.see(note, int(time.time()))
        return monitor.lateness(int(time.time())) or last

    told: Outcome | None = None
    while (outcome := _look(see_next)) is not None:
        last = outcome
        if not once or outcome.reason == INCONSISTENT:
            told = outcome
            tell(outcome)
        if outcome.reason == INCONSISTENT:
            return outcome
    last = monitor.lateness(int(time.time())) or last
    if last is not told:
        tell(last)
    return last


def _look(see: Callable[[], Seen]) -> Seen | Outcome:
    """What `see` gives, or what its failure means."""
    try:
        return see()
    except RefusedError as error:
        return Outcome(INCONSISTENT, error.message, step=error.step)
    except StoreError as error:
        return Outcome(STATE, f"the state is damaged or cannot be written: {error}")
    except (UnreadableError, OSError) as error:
        return Outcome(MISSING, str(error))


def read_records(stream: BinaryIO, wait_s: float) -> Iterator[str | None]:
    """The notes in a stream, and None whenever nothing came for `wait_s`.

    Raises UnreadableError for a record that is none.
    """
    lines: queue.Queue[bytes] = queue.Queue(1000)

    def read() -> None:
        line = b"start"
        while line:
            line = stream.readline(LINE_BYTES_MAX + 1)
            lines.put(line)

    threading.Thread(target=read, daemon=True).start()
    note = ""
    while True:
        try:
            line = _text(lines.get(timeout=wait_s))
        except queue.Empty:
            line = None
        if note and not (line or "").startswith(_SIGNATURE) and _is_complete(note):
            yield note
            note = ""
        if line is None:
            yield None
        elif line == "":
            if note:
                raise UnreadableError("the input ends inside a note")
            return
        elif note or not line.startswith("{"):
            note += line if note or line.strip() else ""
            if len(note) > NOTE_LENGTH_MAX:
                raise UnreadableError(f"a note is longer than {NOTE_LENGTH_MAX} characters")
        else:
            yield _note_in(line)


def _is_complete(note: str) -> bool:
    return note.rpartition("\n\n")[2].startswith(_SIGNATURE)


def _text(line: bytes) -> str:
    if len(line) > LINE_BYTES_MAX:
        raise UnreadableError(f"a record is longer than {LINE_BYTES_MAX} bytes")
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise UnreadableError("a record is not UTF-8 text") from error


def _note_in(line: str) -> str:
    try:
        note = json.loads(line)["note"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnreadableError("a record is no JSON object with a field `note`") from error
    if type(note) is not str:
        raise UnreadableError("the field `note` of a record is not a text")
    return note
