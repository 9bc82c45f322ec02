"""Runs the tests of the SDK's recipes, in an environment with their frameworks."""

from __future__ import annotations

import subprocess
from pathlib import Path

RECIPES = Path(__file__).resolve().parents[3] / "sdk-python/recipes"


def test_the_recipes_work() -> None:
    options = ["-q", "-c", "/dev/null", "-p", "no:cacheprovider"]
    command = [str(RECIPES / ".venv/bin/python"), "-m", "pytest", *options, str(RECIPES)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=170)
    assert ended.returncode == 0, ended.stdout + ended.stderr
