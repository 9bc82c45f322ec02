"""`check-config`: checks the settings and connects to nothing."""

from __future__ import annotations

import argparse
import sys

from aichat_server.settings import Settings


def run(_settings: Settings, _options: argparse.Namespace) -> int:
    """Says so: by now they are loaded, and so they were checked as a whole, as those of `serve` are."""
    sys.stdout.write("the settings are complete and well-formed\n")
    return 0
