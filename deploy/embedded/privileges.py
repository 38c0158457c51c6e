"""PostgreSQL refuses to run as root, so root starts it as `nobody`.

That user owns the database files, but must also reach them and the binaries through folders that
may be closed to it (a root's home, a temporary folder). Only then it keeps one capability, the
right to walk through closed folders, and nothing else of root's; opening up somebody's folders
would be worse.
"""

import os
import pwd
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.errors import EngineStartError

NOBODY = 65534
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAP_SETPCAP = 8


@dataclass(frozen=True, slots=True)
class Account:
    """The user a child becomes; `capability` is the one it keeps, if any."""

    uid: int
    gid: int
    capability: int | None = None

    def __str__(self) -> str:
        """As `launch.py` reads it."""
        return f"{self.uid}:{self.gid}:{'' if self.capability is None else self.capability}"


def open_to_others(path: Path) -> bool:
    """Whether any user can walk to this path: every folder above it has the search bit for
    others.
    """
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def permitted_capabilities() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapPrm:"):
            return int(line.split()[1], 16)
    return 0


def unprivileged_account(paths: Iterable[Path]) -> Account | None:
    """None for an ordinary user (it runs PostgreSQL itself), else the account that must reach the
    paths.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
        uid, gid = entry.pw_uid, entry.pw_gid
    except KeyError:
        uid, gid = NOBODY, NOBODY
    if all(open_to_others(path) for path in paths):
        return Account(uid, gid)
    if sys.platform == "linux":
        have = permitted_capabilities()
        for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
            if have >> capability & 1 and have >> CAP_SETPCAP & 1:
                return Account(uid, gid, capability)
    raise EngineStartError(
        "PostgreSQL must not run as root, and another user cannot reach its folders: run Amply "
        "as an ordinary user, or put AMPLY_CACHE and the data directory where all can reach them."
    )


def give(path: Path, account: Account | None) -> None:
    if account is not None:
        os.chown(path, account.uid, account.gid)
