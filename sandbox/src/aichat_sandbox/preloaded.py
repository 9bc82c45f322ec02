"""`python -m aichat_sandbox.preloaded MODULE PROGRAM ARGUMENT…`: imports MODULE now, and runs PROGRAM when it may.

It may once its settings, a JSON object, have been written to standard input. The server's imports take longer than the
databases need to come up, and so go on meanwhile.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import sys


def main() -> None:
    """Imports, waits, and becomes the program."""
    module, program, *arguments = sys.argv[1:]
    importlib.import_module(module)
    settings = sys.stdin.readline()
    if not settings:
        # Whoever was to write them has gone.
        sys.exit(1)
    os.environ |= json.loads(settings)
    sys.argv = [program, *arguments]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
