"""The command `amply-verify`: receipt, export, log.

Exit code 0: verified; 1: refused, with the step and one sentence; 2: could not be read or asked so.
It needs no network (but for the log of a URL), no account and no trust in the platform.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from amply_verify import audit, export, receipt
from amply_verify.audit import Kept
from amply_verify.claims import claim_of_export, claim_of_receipt
from amply_verify.errors import NoteError, RefusedError, UnreadableError
from amply_verify.kinds import is_hash
from amply_verify.note import ED25519, VerifierKey, parse_verifier_key
from amply_verify.policy import Policy, parse_policy
from amply_verify.report import Report, as_lines, as_object, printable
from amply_verify.source import open_log, read_bounded
from amply_verify.trust import Trust

VERIFIED, REFUSED, UNREADABLE = 0, 1, 2
PROCESSES_MAX = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character shows its escape instead of failing.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # both are text
    options = _parser().parse_args(arguments)
    now = datetime.now(UTC)
    try:
        report: Report = options.verify(options, now)
    except RefusedError as error:
        return _refuse(options, error)
    except (UnreadableError, OSError, BrokenExecutor) as error:
        return _give_up(options, str(error) or type(error).__name__)
    if options.json:
        print(json.dumps(as_object(report, now)))
    else:
        print("\n".join(as_lines(report, now)))
    return VERIFIED


def _refuse(options: argparse.Namespace, error: RefusedError) -> int:
    if options.json:
        value: dict[str, Any] = {
            "verified": False,
            "step": error.step,
            "seq": error.seq,
            "message": error.message,
        }
        if error.index is not None:
            value["index"] = error.index
        print(json.dumps(value))
    else:
        seq = "" if error.seq is None else f", seq {error.seq}"
        print(printable(f"refused at step {error.step}{seq}: {error.message}"))
    return REFUSED


def _give_up(options: argparse.Namespace, message: str) -> int:
    if options.json:
        print(json.dumps({"verified": False, "step": None, "seq": None, "message": message}))
    else:
        print(printable(f"could not be read: {message}"), file=sys.stderr)
    return UNREADABLE


def _verify_receipt(options: argparse.Namespace, _now: datetime) -> Report:
    return receipt.verify_receipt(_read(options.file), _trust(options))


def _verify_export(options: argparse.Namespace, now: datetime) -> Report:
    memory = export.Memory(
        checkpoint=None if options.old is None else _read_text(options.old),
        head=None if options.old_head is None else _read_head(options.old_head),
    )
    trust = _trust(options)
    with Path(options.file).open("rb") as stream:
        return export.verify_export(
            stream, trust, options.org, memory, now, max(1, options.processes)
        )


def _verify_log(options: argparse.Namespace, _now: datetime) -> Report:
    claims = [claim_of_receipt(path) for path in options.receipt]
    claims += [claim_of_export(path) for path in options.export]
    kept = Kept([_read_text(path) for path in options.old], claims)
    return audit.audit_log(
        open_log(options.location), _trust(options), kept, max(1, options.processes)
    )


def _trust(options: argparse.Namespace) -> Trust:
    policy = None if options.policy is None else _read_policy(options.policy)
    return Trust(_read_key(options.key), policy)


def _read_key(text: str) -> VerifierKey:
    """A verifier key, or the one in the file of that name."""
    try:
        key = parse_verifier_key(text)
    except (NoteError, UnicodeError):
        try:
            key = parse_verifier_key(_read_text(text).strip())
        except NoteError as error:
            raise UnreadableError(f"{text} holds no verifier key: {error}") from error
        except (OSError, ValueError) as error:
            raise UnreadableError(
                f"--key is neither a verifier key nor a file that holds one: {text}"
            ) from error
    if key.algorithm != ED25519:
        raise UnreadableError("--key is not the Ed25519 key of a log")
    return key


def _read_policy(path: str) -> Policy:
    try:
        return parse_policy(_read_text(path))
    except NoteError as error:
        raise UnreadableError(f"{path}: {error}") from error


def _read_head(path: str) -> export.Head:
    try:
        value = json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{path} is not JSON") from error
    if isinstance(value, dict):
        digest, seq = value.get("hash"), value.get("seq")
        if isinstance(digest, str) and is_hash(digest) and type(seq) is int and seq >= 0:
            return export.Head(digest, seq)
    raise UnreadableError(f'{path} is not of the form {{"hash": "<64 hex>", "seq": <number>}}')


def _read(path: str) -> bytes:
    return read_bounded(Path(path))


def _read_text(path: str) -> str:
    try:
        return _read(path).decode()
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path} is not UTF-8 text") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="amply-verify",
        description="Verifies receipts, exports and logs of Amply's public ledger, offline.",
        epilog="Exit code 0: verified; 1: refused; 2: could not be read.",
    )
    commands = parser.add_subparsers(required=True, metavar="receipt | export | log")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--key", required=True, metavar="VKEY", help="the log's verifier key, or a file holding it"
    )
    common.add_argument("--policy", metavar="FILE", help="a witness policy (C2SP tlog-policy)")
    common.add_argument("--json", action="store_true", help="print one JSON object")

    one = commands.add_parser("receipt", parents=[common], help="a .tlog-proof file")
    one.add_argument("file", metavar="FILE")
    one.set_defaults(verify=_verify_receipt)

    many = commands.add_parser("export", parents=[common], help="a .jsonl export")
    many.add_argument("file", metavar="FILE")
    many.add_argument("--org", metavar="ORG", help="the organization it must be of")
    many.add_argument("--old", metavar="CHECKPOINT_FILE", help="a checkpoint kept from before")
    many.add_argument("--old-head", metavar="HEAD_FILE", help='a head kept: {"hash", "seq"}')
    _add_processes(many, "judge a long export")
    many.set_defaults(verify=_verify_export)

    whole = commands.add_parser("log", parents=[common], help="a whole log: a folder or a URL")
    whole.add_argument("location", metavar="DIR_OR_URL", help="where `checkpoint` and `tile/` are")
    for name, what in (
        ("old", "CHECKPOINT_FILE"),
        ("receipt", "RECEIPT_FILE"),
        ("export", "EXPORT_FILE"),
    ):
        whole.add_argument(
            f"--{name}", action="append", default=[], metavar=what, help="to compare; repeatable"
        )
    _add_processes(whole, "judge a long log")
    whole.set_defaults(verify=_verify_log)
    return parser


def _add_processes(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--processes",
        type=int,
        default=min(os.cpu_count() or 1, PROCESSES_MAX),
        metavar="N",
        help=f"processes that {what} (default: one per core, at most %(default)s)",
    )
