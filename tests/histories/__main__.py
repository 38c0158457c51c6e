"""Plays histories against a PostgreSQL server: `python -m tests.histories --dsn DSN [--first N]`.

Creates a database of its own there. The first history that does not end in agreement is made short
and printed, and the status is 1. A test plays the same seeds; this plays as many as one likes.
"""

import argparse
import logging
import os
import sys

import structlog
import uvloop

from tests.histories import mutants

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--dsn", required=True, help="a superuser's")
parser.add_argument("--first", type=int, default=0, help="the first seed")
parser.add_argument("--count", type=int, default=1000)
parser.add_argument("--mutant", choices=mutants.MUTANTS, help="a sandbox with this mistake")
parser.add_argument("--long", action="store_true", help="print a failing history as it is")


def main() -> int:
    """The exit status: 0 when all histories agree."""
    given = parser.parse_args()
    if given.mutant:
        mutants.install(given.mutant)
    # Only now: what follows imports the sandbox.
    from tests.histories.running import run

    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet)
    name = f"histories_{os.getpid()}"
    failed = uvloop.run(run(given.dsn, name, given.first, given.count, is_long=given.long))
    if failed is not None:
        print(failed)
        return 1
    print(f"{given.count} histories agree, seeds from {given.first} on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
