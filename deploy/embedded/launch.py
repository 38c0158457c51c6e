"""Run as a script: prepares the process that it is, then becomes the engine by exec.

Usage: launch.py PARENT SIGNAL ACCOUNT COMMAND... It asks the kernel (Linux) for SIGNAL when PARENT
dies, and, as root, becomes ACCOUNT, `uid:gid:capability` or `-`. The same could be done between
fork and exec of the starter, but that is unsafe beside other threads, gRPC's first of all. It
imports nothing of ours, so that the interpreter may start bare.
"""

import ctypes
import os
import struct
import sys

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
LINUX_CAPABILITY_VERSION_3 = 0x20080522
# Capabilities survive the change of user, and access(2), by which PostgreSQL looks for its own
# programs, counts them; without this bit it ignores them for everybody but root.
SECBIT_NO_SETUID_FIXUP = 1 << 2


def become(libc: ctypes.CDLL, uid: int, gid: int, capability: int | None) -> None:
    """Change the user for good and drop every capability but the one given."""
    if capability is not None:
        libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if capability is None:
        return
    bit = 1 << capability
    header = struct.pack("=Ii", LINUX_CAPABILITY_VERSION_3, 0)
    # Effective, permitted, inheritable; the second triple is for capabilities above 31.
    wanted = struct.pack("=6I", bit, bit, bit, 0, 0, 0)
    if libc.capset(header, wanted) != 0:
        raise SystemExit("the kernel did not let this process keep its one capability")
    if libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0:
        raise SystemExit("the kernel did not let this process pass on its one capability")


def main(parent: str, death_signal: str, account: str, *command: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    os.umask(0o077)
    if account != "-":
        uid, gid, capability = account.split(":")
        become(libc, int(uid), int(gid), int(capability) if capability else None)
    if sys.platform == "linux":
        # Changing the user clears this, so it comes last; a parent that died before is checked
        # after.
        libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != int(parent):
            raise SystemExit("the starter ended before its engine began")
    os.execv(command[0], command)  # noqa: S606 (a fixed command, and no shell is wanted)


if __name__ == "__main__":
    main(*sys.argv[1:])
