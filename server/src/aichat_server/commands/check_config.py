"""`check-config`: checks the settings and connects to nothing."""

from __future__ import annotations

import argparse
import sys

from aichat_server.settings import Settings


def run(_settings: Settings, _options: argparse.Namespace) -> int:
    """Reports success: the settings were checked as a whole when they were loaded, as for `serve`."""
    sys.stdout.write("the settings are complete and well-formed\n")
    return 0
