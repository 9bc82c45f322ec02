"""Ties a child process to its parent, so that it ends when the parent is killed.

Run as a script, it ties itself and then executes the given command. The parent cannot do this between fork and exec:
forking a process that has loaded gRPC runs gRPC's own fork handlers, which can fail; starting a process without such a
step does not fork.
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
    """Returns a command that runs `command`, and sends it the signal `number` when this process ends.

    `user`: the user that runs it; None: this one.

    The parent is the thread that starts the child: start children from the main thread. Works only on Linux; elsewhere
    it does nothing.
    """
    who = f"{user.pw_uid}:{user.pw_gid}" if user else _NOBODY_ELSE
    # -I and -S: the script needs neither the environment nor installed packages, and starts three times faster.
    return (sys.executable, "-I", "-S", __file__, str(int(number)), str(os.getpid()), who, *command)


def main() -> None:
    """Ties this process to the parent that the command line names, and executes the command."""
    number, parent, who, *command = sys.argv[1:]
    if who != _NOBODY_ELSE:
        user, group = map(int, who.split(":"))
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    if sys.platform == "linux":
        # After the change of user, which would reset it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        # The parent may have died before the call above.
        if os.getppid() != int(parent):
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 — the sandbox starts the commands that it names


if __name__ == "__main__":
    main()
