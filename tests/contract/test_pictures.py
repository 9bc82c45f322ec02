"""The pictures in the documents are well-formed, load nothing, and state what is true."""

from __future__ import annotations

import tomllib
from html import unescape
from pathlib import Path
from runpy import run_path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs/pictures"
NAMESPACE = "{http://www.w3.org/2000/svg}"


def _texts(name: str) -> list[str]:
    root = ET.parse(PICTURES / name).getroot()  # noqa: S314 - our own file
    return ["".join(text.itertext()) for text in root.iter(f"{NAMESPACE}text")]


@pytest.mark.parametrize("picture", sorted(PICTURES.glob("*.svg")), ids=lambda path: path.name)
def test_a_picture_needs_nothing_else(picture: Path) -> None:
    text = picture.read_text()
    assert ET.fromstring(text).tag == f"{NAMESPACE}svg"  # noqa: S314 - our own file
    for foreign in ("<script", "href", "url(http", "@import", "<foreignObject"):
        assert foreign not in text


def test_the_badges_are_true() -> None:
    project = tomllib.loads((ROOT / "server/pyproject.toml").read_text())["project"]
    assert _texts("licence.svg") == ["licence", project["license"]]
    assert _texts("python.svg") == ["python", project["requires-python"].removeprefix(">=") + "+"]
    [contract] = (ROOT / "protos/aichat").iterdir()
    assert _texts("contract.svg") == ["contract", f"aichat.{contract.name}"]


def test_the_recording_shows_what_the_script_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PICTURES))
    commands = run_path(str(PICTURES / "record.py"))["COMMANDS"]
    shown = [unescape(text) for text in _texts("terminal.svg")]
    for command in commands:
        assert f"$ {command}" in shown
