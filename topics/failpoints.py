"""Named steps at which a test can make a process die or stop, as `kill -9` would.

`AMPLY_FAILPOINT="relay.acknowledged:3"` kills this process the third time that it reaches the step
`relay.acknowledged`. It leaves a file of the step's name in `AMPLY_FAILPOINT_DIRECTORY` first, so
that a test can tell a step that was hit from one that no longer exists; while that file is there,
the step is not armed, so a restarted process lives. Unset, a step costs one comparison. `:3:stop`
stops the process (SIGSTOP) instead of killing it.
"""

import os
import signal
from pathlib import Path
from typing import Final, Literal, get_args

Step = Literal[
    "edge.before_commit",
    "edge.committed",
    "relay.acknowledged",
    "relay.deleted",
    "runtime.before_commit",
    "runtime.committed",
    "accounts.answered",
    "payments.answered",
    "payments.refunded",
    "payouts.created",
    "bookkeeping.before_commit",
    "bookkeeping.committed",
    "checkpoints.signed",
    "checkpoints.tiles_written",
    "checkpoints.published",
    "notifications.sent",
    "permissions.written",
    "erasure.journaled",
    "erasure.before_commit",
    "erasure.committed",
]

STEPS: Final[frozenset[str]] = frozenset(get_args(Step))


class _Armed:
    def __init__(self, setting: str) -> None:
        name, count, *action = setting.split(":")
        if name not in STEPS:
            raise ValueError(f"AMPLY_FAILPOINT names no step: {name}")
        self.marker = Path(os.environ["AMPLY_FAILPOINT_DIRECTORY"], name)
        self.name = None if self.marker.exists() else name
        self.left = int(count)
        self.signal = signal.SIGSTOP if action == ["stop"] else signal.SIGKILL


_armed: _Armed | None = None


def arm() -> None:
    """Take the setting from the environment; a process that was forked does so again."""
    global _armed
    setting = os.environ.get("AMPLY_FAILPOINT")
    _armed = _Armed(setting) if setting else None


arm()


def reach(step: Step) -> None:
    """Say that the process is at this step."""
    if _armed is None or _armed.name != step:
        return
    _armed.left -= 1
    if _armed.left == 0:
        _armed.marker.touch()
        os.kill(os.getpid(), _armed.signal)
