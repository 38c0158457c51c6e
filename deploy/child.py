"""Run a module as a supervised child: `python -m deploy.child MODULE ARGUMENTS...`.

On Linux the kernel then ends this process when the supervisor dies, however it dies. The child asks
for that itself: a hook between fork and exec would run in a copy of a process with threads.
"""

import contextlib
import ctypes
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Tie this process to its parent, then become the module."""
    supervisor = int(os.environ.pop("AMPLY_SUPERVISOR"))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != supervisor:  # It died before the kernel was asked.
        sys.exit("the supervisor is gone")
    stand_back(int(os.environ.pop("AMPLY_NICENESS")))
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def stand_back(niceness: int) -> None:
    """Lower this process's claim on processors.

    Where Linux groups tasks by session (sched(7), "The autogroup feature"), a nice value counts
    within the session only, and the group has a nice value of its own.
    """
    os.nice(niceness)
    group = Path("/proc/self/autogroup")
    if niceness and group.exists():
        with contextlib.suppress(OSError):  # Some containers forbid it: then all are equal.
            group.write_text(str(niceness))


main()
