"""`make benchmark`: measure the figures, print a table. `FIGURES="posts latency"` picks some.

`FIGURES="permissions --organizations 200"` tries that figure with fewer than it is about.

Each figure says what it measures and what it should reach. Nothing here is a test: a slow machine
prints slow figures. Everything runs on loopback, bounded in count, and stops by itself.
"""

import argparse
import asyncio
import os
import platform as machine
import sys
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks import (
    exporting,
    exports,
    latency,
    ledger_checkpoints,
    ledger_growth,
    ledger_writer,
    logs,
    permissions,
    posts,
    proofs,
    reads,
    starts,
)


@dataclass(frozen=True)
class Figure:
    """A name for the command line, and the work that yields rows: (figure, to reach, measured)."""

    name: str
    measure: Callable[[Path], Coroutine[Any, Any, list[tuple[str, str, str]]]]


PERMISSIONS = "permissions"
FIGURES = (
    Figure("starts", starts.measure),
    Figure("latency", latency.measure),
    Figure("posts", posts.measure),
    Figure("reads", reads.measure),
    Figure("import", posts.measure_import),
    Figure("writer", ledger_writer.measure),
    Figure("checkpoints", ledger_checkpoints.measure),
    Figure("growth", ledger_growth.measure),
    Figure("exports", exports.measure),
    Figure("exporting", exporting.measure),
    Figure("logs", logs.measure),
    Figure("proofs", proofs.measure),
    Figure(PERMISSIONS, permissions.measure),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make benchmark")
    parser.add_argument("figures", nargs="*")
    parser.add_argument("--organizations", type=int, default=permissions.ORGANIZATIONS)
    given = parser.parse_args()
    wanted = set(given.figures) or {figure.name for figure in FIGURES}
    unknown = wanted - {figure.name for figure in FIGURES}
    if unknown:
        sys.exit(f"no such figure: {', '.join(sorted(unknown))}")
    console = Console()
    table = Table("figure", "to reach", "measured")
    load = os.getloadavg()[0]
    for figure in FIGURES:
        if figure.name in wanted:
            console.print(f"measuring {figure.name} ...")
            with tempfile.TemporaryDirectory(prefix="amply-benchmark-") as folder:
                measure = figure.measure
                if figure.name == PERMISSIONS:
                    measure = partial(permissions.measure, organizations=given.organizations)
                for row in asyncio.run(measure(Path(folder))):
                    table.add_row(*row)
                    console.print("  " + " | ".join(row))
    console.print(table)
    console.print(
        f"{os.cpu_count()} cores, Python {machine.python_version()}, load at start {load:.1f}"
    )


if __name__ == "__main__":
    main()
