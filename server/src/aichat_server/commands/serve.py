"""`serve`: serves gRPC on the address of AICHAT_LISTEN."""

from __future__ import annotations

import argparse

import uvloop

from aichat_server.app.process import serve
from aichat_server.settings import Settings


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Serves until SIGTERM or SIGINT, then drains."""
    # uvloop has the event loop's interface in C: a fifth less CPU for each call.
    return uvloop.run(serve(settings, until_stdin_ends=options.until_stdin_ends))
