"""Ties a child process to its parent, so that none is left behind when the parent is killed.

Run as a script, it does so to itself and becomes the command it is given. Between fork and exec it could not be done:
a fork of a process with gRPC in it runs gRPC's own handlers, which can fail, whereas a start without anything to do in
between forks nothing.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from pwd import struct_passwd

_PR_SET_PDEATHSIG = 1
_NOBODY_ELSE = "-"


def tied_to_parent(
    *command: str | Path, number: signal.Signals = signal.SIGTERM, user: struct_passwd | None = None
) -> Sequence[str | Path]:
    """The command that runs `command`, which gets the signal `number` once this process is gone, as `user` if given.

    The parent is the thread that starts the child: start children from the main thread. Does nothing but on Linux.
    """
    who = f"{user.pw_uid}:{user.pw_gid}" if user else _NOBODY_ELSE
    # -I and -S: nothing of the environment or of what is installed is needed, and the start takes a third.
    return (sys.executable, "-I", "-S", __file__, str(int(number)), str(os.getpid()), who, *command)


def main() -> None:
    """Becomes the command, tied to the parent that the command line names."""
    number, parent, who, *command = sys.argv[1:]
    if who != _NOBODY_ELSE:
        user, group = map(int, who.split(":"))
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    if sys.platform == "linux":
        # After the change of user, which would undo it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        # The parent may have died before the kernel was told.
        if os.getppid() != int(parent):
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 — the sandbox starts the commands that it names


if __name__ == "__main__":
    main()
