"""`python -m aichat_sandbox.preloaded MODULE PROGRAM ARGUMENT…`: imports MODULE at once, and runs PROGRAM later.

It runs PROGRAM when it has read its settings, a JSON object, from standard input. The server's imports take longer than
the databases need to start, so both happen at the same time.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import sys


def main() -> None:
    """Imports the module, reads the settings, and runs the program."""
    module, program, *arguments = sys.argv[1:]
    # Nearly all objects of the imports stay: collections would find nothing, and take a quarter of the time.
    gc.disable()
    importlib.import_module(module)
    gc.enable()
    settings = sys.stdin.readline()
    if not settings:
        # The process that writes the settings has ended.
        sys.exit(1)
    os.environ |= json.loads(settings)
    sys.argv = [program, *arguments]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
