"""`python -m aichat_sandbox.stripe --port 0 --port-file FILE`: the stand-in for Stripe as a process."""

from __future__ import annotations

from pathlib import Path

from aichat_sandbox.standin import serve_stand_in, stand_in_parser

from .server import make_app


def main() -> None:
    """Reads the command line and serves."""
    parser = stand_in_parser("A stand-in for Stripe.")
    parser.add_argument(
        "--state", type=Path, help="the file that stores its state; without it, the state is empty and only in memory"
    )
    parser.add_argument(
        "--webhook-url", help="where to send events; without it, nowhere until `/_control/webhook` says where"
    )
    options = parser.parse_args()
    serve_stand_in(make_app(options.state, options.webhook_url), options)


if __name__ == "__main__":
    main()
