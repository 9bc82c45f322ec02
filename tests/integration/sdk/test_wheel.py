"""The wheel can be built, and works with only its declared dependencies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

SDK = Path(__file__).parents[3] / "sdk-python"
UV = Path(sys.executable).parent / "uv"
IMPORT_ALL = """
import importlib, pkgutil, sys
import aichat_sdk
for module in pkgutil.walk_packages(aichat_sdk.__path__, "aichat_sdk."):
    importlib.import_module(module.name)
print(aichat_sdk.__version__, aichat_sdk.__file__.startswith(sys.prefix))
"""


def run(*command: str | Path, cwd: Path) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd)}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("build")
    shutil.copytree(SDK, directory / "source", ignore=shutil.ignore_patterns("__pycache__", "dist"))
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory, cwd=directory / "source")
    (built,) = directory.glob("*.whl")
    return built


def required(distributions: Iterator[Distribution]) -> Iterator[Distribution]:
    for one in distributions:
        yield one
        needs = [Requirement(line) for line in one.requires or ()]
        met = [need for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
        assert all(need.specifier.contains(distribution(need.name).version) for need in met)
        yield from required(distribution(need.name) for need in met)


def test_wheel_works_with_its_declared_dependencies_alone(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    paths = sysconfig.get_paths(vars={"base": str(environment), "platbase": str(environment)})
    run(UV, "pip", "install", "--offline", "--no-deps", "--python", environment / "bin/python", wheel, cwd=tmp_path)
    packages = Path(paths["purelib"])
    (metadata,) = Distribution.discover(name="aichat-sdk", path=[str(packages)])
    for dependency in required(iter([metadata])):
        for top in {file.parts[0] for file in dependency.files or () if file.parts[0] != ".."}:
            link = packages / top
            if not link.exists():
                link.symlink_to(Path(str(dependency.locate_file(top))))
    assert not (packages / "google").exists(), "the SDK does without Google's protobuf"
    python = environment / "bin/python"
    assert run(python, "-I", "-W", "error", "-c", IMPORT_ALL, cwd=tmp_path).split()[1] == "True"
    assert "usage: aichat" in run(environment / "bin/aichat", "--help", cwd=tmp_path)


def test_wheel_holds_the_package_its_types_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "aichat_sdk/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"aichat_sdk"}
    strangers = [name for name in names if "test" in name or "__pycache__" in name]
    assert strangers == ["aichat_sdk/testing.py"], "which users import in their tests"


def test_the_source_archive_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, cwd=wheel.parent / "source")
    (archive,) = tmp_path.glob("*.tar.gz")
    run(sys.executable, "-m", "tarfile", "-e", archive, tmp_path, cwd=tmp_path)
    unpacked = tmp_path / archive.name.removesuffix(".tar.gz")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=unpacked)
    names = zipfile.ZipFile(tmp_path / wheel.name).namelist()
    assert sorted(names) == sorted(zipfile.ZipFile(wheel).namelist())
    assert any(name.endswith("/licenses/LICENSE") for name in names)
