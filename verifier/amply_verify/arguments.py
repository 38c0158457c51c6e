"""The arguments of `amply-verify`, and what its help says of them."""

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PROCESSES_MAX = 4
INTERVAL_S = 60.0

Commands = Mapping[str, Callable[..., Any]]


def parser_for(commands: Commands) -> argparse.ArgumentParser:
    """The parser, which puts the function of the chosen command into `command`."""
    parser = argparse.ArgumentParser(
        prog="amply-verify",
        description="Verifies receipts, exports and logs of Amply's public ledger, offline.",
        epilog="Exit code 0: verified; 1: refused; 2: could not be read. Guide: README.md.",
    )
    subparsers = parser.add_subparsers(
        required=True, metavar="receipt | export | balances | log | compare | monitor"
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--key", required=True, metavar="VKEY", help="the log's verifier key, or a file holding it"
    )
    common.add_argument("--policy", metavar="FILE", help="a witness policy (C2SP tlog-policy)")
    common.add_argument("--json", action="store_true", help="print JSON objects, one a line")
    for name, (add, text) in _COMMANDS.items():
        one = subparsers.add_parser(name, parents=[common], help=text, description=text)
        add(one)
        one.set_defaults(command=commands[name])
    return parser


def _receipt(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE")


def _export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--org", metavar="ORG", help="the organization it must be of")
    parser.add_argument("--old", metavar="CHECKPOINT_FILE", help="a checkpoint kept from before")
    parser.add_argument("--old-head", metavar="HEAD_FILE", help='a head kept: {"hash", "seq"}')
    _processes(parser, "judge a long export")


def _log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("location", metavar="DIR_OR_URL", help="where `checkpoint` and `tile/` are")
    for name, what in (
        ("old", "CHECKPOINT_FILE"),
        ("receipt", "RECEIPT_FILE"),
        ("export", "EXPORT_FILE"),
    ):
        parser.add_argument(
            f"--{name}", action="append", default=[], metavar=what, help="to compare; repeatable"
        )
    _processes(parser, "judge a long log")


def _compare(parser: argparse.ArgumentParser) -> None:
    for name in ("a", "b"):
        parser.add_argument(
            name,
            metavar=name.upper(),
            help="a checkpoint, receipt or export; or the folder or URL of a log or mirror",
        )


def _monitor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "location",
        metavar="DIR_OR_URL",
        help="where `checkpoint` and `tile/` are, or - for notes on standard input",
    )
    parser.add_argument(
        "--state",
        required=True,
        type=Path,
        metavar="DIR",
        help="a directory for this monitor alone; one for every key",
    )
    parser.add_argument("--once", action="store_true", help="look once, then exit (for cron)")
    parser.add_argument(
        "--interval",
        type=_seconds,
        default=INTERVAL_S,
        metavar="S",
        help="seconds between two looks (default: %(default)g)",
    )
    parser.add_argument(
        "--max-age",
        type=_seconds,
        metavar="S",
        help="late if the checkpoint did not change, or was not cosigned, for so many seconds",
    )
    parser.add_argument(
        "--command",
        dest="alarm",
        metavar="CMD",
        help="run when something is wrong; AMPLY_VERIFY_REASON, _MESSAGE ... say what",
    )
    parser.add_argument(
        "--tiles", metavar="DIR_OR_URL", help="with -: where the log's files are, to judge entries"
    )
    _processes(parser, "judge many new entries")


def _processes(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--processes",
        type=int,
        default=min(os.cpu_count() or 1, PROCESSES_MAX),
        metavar="N",
        help=f"processes that {what} (default: one per core, at most %(default)s)",
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError("seconds are a number above 0")
    return seconds


_COMMANDS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], str]] = {
    "receipt": (_receipt, "one gift: a .tlog-proof file"),
    "export": (_export, "the books of one organization: a .jsonl export"),
    "balances": (_export, "what an export's entries add up to, once it is verified"),
    "log": (_log, "a whole log: a folder or a URL"),
    "compare": (_compare, "whether two checkpoints are of one history"),
    "monitor": (_monitor, "follow a log and keep its last good checkpoint"),
}
