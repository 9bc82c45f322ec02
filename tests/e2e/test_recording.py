"""The script that records the README's picture draws what the commands print."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from aichat_sandbox.platform import Platform

ROOT = Path(__file__).resolve().parents[2]


async def test_it_draws_a_real_conversation(platform: Platform, tmp_path: Path) -> None:
    picture = tmp_path / "terminal.svg"
    target = {"AICHAT_ENDPOINT": platform.grpc, "AICHAT_API_KEY": platform.key["api_key"]}
    done = await asyncio.to_thread(
        subprocess.run,
        (sys.executable, "docs/pictures/record.py", picture),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **target},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    root = ET.parse(picture).getroot()  # noqa: S314 - just written
    shown = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any("stand-in for anthropic" in line for line in shown)
    assert any(line.startswith("gpt-6-luna · ") and "$0." in line for line in shown)
