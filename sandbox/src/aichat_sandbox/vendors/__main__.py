"""`python -m aichat_sandbox.vendors --port 0 --port-file FILE`: the vendors' stand-in as a process."""

from __future__ import annotations

from aichat_sandbox.standin import run_stand_in

from .server import make_app

if __name__ == "__main__":
    run_stand_in(make_app, "Stand-ins for Anthropic, OpenAI and Gemini on one port.")
