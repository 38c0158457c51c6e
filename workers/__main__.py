"""Run one process of the platform: `python -m workers NAME`.

Only what the named process needs is imported: ten of these start at once on a small machine.
"""

import os
import sys
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any, Final

import uvloop

from workers.runtime import logs
from workers.settings import SettingError, Settings, load

#: Workers of the runtime: the module that holds `WORKER`.
WORKERS: Final = {
    name: f"workers.{name}.worker"
    for name in (
        "accounts",
        "donations",
        "events",
        "fees",
        "notifications",
        "payments",
        "payouts",
        "permissions",
    )
}
#: Processes with a loop of their own: the module that holds `run(settings)`.
PROCESSES: Final = {
    "relay": "workers.runtime.relay_process",
    "bookkeeping": "workers.bookkeeping.writer",
    "books": "workers.books.keeper",
    "checkpoints": "workers.checkpoints.publisher",
    "witnesses": "workers.witnesses.rounds",
    "reconciliation": "workers.reconciliation.schedule",
    "audit": "workers.audit.chainer",
    "retention": "workers.retention.schedule",
}


def entry_of(name: str) -> Callable[[Settings], Coroutine[Any, Any, None]]:
    """What to run for a name; KeyError when there is no such process."""
    if name in PROCESSES:
        run: Callable[[Settings], Coroutine[Any, Any, None]] = import_module(PROCESSES[name]).run
        return run
    module = WORKERS[name]

    async def run_worker(settings: Settings) -> None:
        host = import_module("workers.runtime.host")
        await host.run(import_module(module).WORKER, settings)

    return run_worker


def main(arguments: list[str]) -> int:
    """Run the process that the arguments name; its exit status."""
    names = sorted(WORKERS | PROCESSES)
    if len(arguments) != 1 or arguments[0] not in names:
        print(f"usage: python -m workers NAME, NAME one of: {', '.join(names)}", file=sys.stderr)
        return 2
    logs.configure(arguments[0])
    try:
        settings = load(os.environ)
        uvloop.run(entry_of(arguments[0])(settings))
    except SettingError as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
