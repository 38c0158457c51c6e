"""The command `amply-verify`: receipt, export, balances, log, compare, monitor.

Exit code 0: verified; 1: refused, with the step and one sentence; 2: could not be read or asked so.
It needs no network (but for the log of a URL), no account and no trust in the platform.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from amply_verify import arguments, audit, export, history, receipt
from amply_verify.claims import claim_of_export, claim_of_receipt
from amply_verify.errors import RefusedError, UnreadableError
from amply_verify.inputs import read_head, read_key, read_policy, read_side, read_text
from amply_verify.monitor import MISSING, STATE, Monitor, Outcome
from amply_verify.monitor_run import EXIT_CODES, Alarm, follow_log, follow_notes
from amply_verify.monitor_state import MonitorState
from amply_verify.report import Answer, answer, answer_balances, answer_outcome, printable
from amply_verify.source import open_log, read_bounded
from amply_verify.store import StoreError
from amply_verify.terminal import GREEN, RED, YELLOW, ProgressLine, coloured
from amply_verify.trust import Trust

VERIFIED, REFUSED, UNREADABLE = 0, 1, 2


def main(given: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character shows its escape instead of failing.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # both are text
    options = arguments.parser_for(_COMMANDS).parse_args(given)
    options.progress = ProgressLine()
    now = datetime.now(UTC)
    try:
        done: Answer | int = options.command(options, now)
    except RefusedError as error:
        return _refuse(options, error)
    except (UnreadableError, OSError, BrokenExecutor, StoreError) as error:
        return _give_up(options, str(error) or type(error).__name__)
    except KeyboardInterrupt:
        return _give_up(options, "interrupted")
    if isinstance(done, int):
        return done
    _print(options, done)
    return VERIFIED if done.verified else REFUSED


def _print(options: argparse.Namespace, done: Answer) -> None:
    options.progress.wipe()
    if options.json:
        print(json.dumps(done.value), flush=True)
    else:
        first, *rest = (printable(line) for line in done.lines)
        colour = GREEN if done.verified else RED
        print("\n".join([coloured(first, colour, sys.stdout), *rest]), flush=True)


def _refuse(options: argparse.Namespace, error: RefusedError) -> int:
    value: dict[str, Any] = {
        "verified": False,
        "step": error.step,
        "seq": error.seq,
        "message": error.message,
    }
    if error.index is not None:
        value["index"] = error.index
    seq = "" if error.seq is None else f", seq {error.seq}"
    line = f"refused at step {error.step}{seq}: {error.message}"
    _print(options, Answer(False, value, [line]))
    return REFUSED


def _give_up(options: argparse.Namespace, message: str) -> int:
    options.progress.wipe()
    if options.json:
        print(json.dumps({"verified": False, "step": None, "seq": None, "message": message}))
    else:
        line = printable(f"could not be read: {message}")
        print(coloured(line, YELLOW, sys.stderr), file=sys.stderr)
    return UNREADABLE


def _receipt(options: argparse.Namespace, now: datetime) -> Answer:
    return answer(receipt.verify_receipt(read_bounded(Path(options.file)), _trust(options)), now)


def _export(options: argparse.Namespace, now: datetime) -> Answer:
    return answer(_verified_export(options, now), now)


def _balances(options: argparse.Namespace, now: datetime) -> Answer:
    return answer_balances(_verified_export(options, now), now)


def _verified_export(options: argparse.Namespace, now: datetime) -> export.ExportReport:
    memory = export.Memory(
        checkpoint=None if options.old is None else read_text(options.old),
        head=None if options.old_head is None else read_head(options.old_head),
    )
    trust = _trust(options)
    with Path(options.file).open("rb") as stream:
        return export.verify_export(
            *(stream, trust, options.org, memory, now, max(1, options.processes)),
            progress=options.progress.show,
        )


def _log(options: argparse.Namespace, now: datetime) -> Answer:
    claims = [claim_of_receipt(path) for path in options.receipt]
    claims += [claim_of_export(path) for path in options.export]
    kept = audit.Kept([read_text(path) for path in options.old], claims)
    read, trust = open_log(options.location), _trust(options)
    report = audit.audit_log(read, trust, kept, max(1, options.processes), options.progress.show)
    return answer(report, now)


def _compare(options: argparse.Namespace, now: datetime) -> Answer:
    trust = _trust(options)
    sides = [read_side(location, trust) for location in (options.a, options.b)]
    return answer(history.compare(*sides), now)


def _monitor(options: argparse.Namespace, _now: datetime) -> int:
    trust = _trust(options)
    alarm = Alarm(options.alarm, trust.key.name, options.location)

    def tell(outcome: Outcome) -> None:
        _print(options, answer_outcome(outcome, trust.key.name))
        alarm.hear(outcome)

    from_topic = options.location == "-"
    tiles = options.tiles if from_topic else options.location
    try:
        read = None if tiles is None else open_log(tiles)
    except UnreadableError as error:
        alarm.hear(Outcome(MISSING, str(error)))
        raise
    try:
        state = MonitorState(options.state, trust.key)
    except UnreadableError as error:
        alarm.hear(Outcome(STATE, str(error)))
        raise
    with closing(state):
        monitor = Monitor(
            *(state, trust, read, options.max_age, from_topic, max(1, options.processes)),
            progress=options.progress.show,
        )
        if from_topic or read is None:
            stream = sys.stdin.buffer
            outcome = follow_notes(monitor, stream, tell, options.once, options.interval)
        else:
            outcome = follow_log(monitor, read, tell, options.once, options.interval)
    return EXIT_CODES[outcome.reason]


def _trust(options: argparse.Namespace) -> Trust:
    policy = None if options.policy is None else read_policy(options.policy)
    return Trust(read_key(options.key), policy)


_COMMANDS: arguments.Commands = {
    "receipt": _receipt,
    "export": _export,
    "balances": _balances,
    "log": _log,
    "compare": _compare,
    "monitor": _monitor,
}
