"""`check-config`: checks the settings and connects to nothing."""

from __future__ import annotations

import argparse
import sys

from aichat_server.app.catalogue import build_catalogue
from aichat_server.app.vendors import build_upstream_policy
from aichat_server.settings import Settings


def run(settings: Settings, _options: argparse.Namespace) -> int:
    """Checks what cannot be seen from the settings one by one."""
    build_upstream_policy(settings, build_catalogue(settings))
    sys.stdout.write("the settings are complete and well-formed\n")
    return 0
