"""The version and the licence are in one place, and everything else agrees with them."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aichat_sdk
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = sorted(ROOT.glob("*/pyproject.toml"))
LICENCE = "Apache-2.0"

each_project = pytest.mark.parametrize("path", PROJECTS, ids=lambda path: path.parent.name)


def _project(path: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads(path.read_text())["project"]
    return project


def test_every_package_is_known() -> None:
    assert {path.parent.name for path in PROJECTS} == {"server", "workers", "sdk-python", "sandbox"}


@each_project
def test_a_package_takes_the_one_version(path: Path) -> None:
    project = _project(path)
    assert "version" not in project
    assert version(project["name"]) == aichat_sdk.__version__


@each_project
def test_a_package_names_the_licence(path: Path) -> None:
    assert _project(path)["license"] == LICENCE


def test_node_names_the_licence_and_is_never_published() -> None:
    for name in ("package.json", "package-lock.json"):
        package = json.loads((ROOT / name).read_text())
        assert package.get("packages", {}).get("", package)["license"] == LICENCE
    assert json.loads((ROOT / "package.json").read_text())["private"] is True


def test_the_licence_is_whole_and_goes_with_the_sdk() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert re.match(r"\s+Apache License\s+Version 2\.0, January 2004\n", text)
    assert "END OF TERMS AND CONDITIONS" in text
    assert (ROOT / "sdk-python/LICENSE").read_text() == text


def test_the_changelog_tells_this_version_first() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[:2] == ["Unreleased", aichat_sdk.__version__]
