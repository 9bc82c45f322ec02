"""Runs a Dockerfile without Docker: its steps in an empty folder, without this machine's environment.

Absolute paths in it are inside that folder; its base image, a Python, is this machine's. A step that needs more than
the folder and the lock have fails, as it would in Docker.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# The variables with which a step reaches the package index from this machine, and reuses its cache.
_INDEX = re.compile(r"(PIP|SSL|CURL|REQUESTS)_|https?_proxy|no_proxy", re.IGNORECASE)
# Paths that are the machine's own in any image.
_ABSOLUTE = re.compile(r"(?:(?<=[\s=\"'\[,(])|^)/(?=[a-z])(?!bin/|usr/bin/|dev/)")
_FOLDERS = ("usr/local", "tmp", "root")


@dataclass
class Image:
    """The result of the steps."""

    folder: Path
    environment: dict[str, str]
    base: str = ""
    workdir: str = "/"
    user: str = ""
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)

    def inside(self, words: str) -> str:
        """Returns words of the Dockerfile with their absolute paths moved into the folder."""
        return _ABSOLUTE.sub(f"{self.folder}/", words)

    def argv(self, *command: str) -> list[str]:
        """Returns a command as the container would start it."""
        return [self.inside(word) for word in command]

    @property
    def cwd(self) -> Path:
        """The working folder of its commands."""
        return Path(self.inside(self.workdir))


def play(dockerfile: Path, folder: Path) -> Image:
    """Builds the image in the empty `folder` and returns it; raises CalledProcessError for a step that fails."""
    stages: dict[str, Path] = {}
    image: Image | None = None
    name = ""
    for instruction, words in _instructions(dockerfile):
        if instruction == "FROM":
            if image is not None:
                # The next stage uses the same place, since programs know their own path.
                stages[name] = image.folder.rename(folder / f"stage-{name}")
            base, _, name = words.partition(" AS ")
            image = _begin(base, folder / "image", stages)
        else:
            assert image is not None
            _STEPS[instruction](image, words, stages)
    assert image is not None
    return image


def _begin(base: str, folder: Path, stages: Mapping[str, Path]) -> Image:
    for path in _FOLDERS:
        (folder / path).mkdir(parents=True)
    if base.startswith("python:"):
        made = next(iter(stages.values()), None)
        if made is None:
            subprocess.run([sys.executable, "-m", "venv", folder / "usr/local"], check=True)
        else:
            _copy_folder(made / "usr/local", folder / "usr/local", of_stage=True)
    reaching = {name: value for name, value in os.environ.items() if _INDEX.match(name)}
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    environment = {
        **reaching,
        "PATH": f"{folder}/usr/local/bin:/usr/bin:/bin",
        "HOME": f"{folder}/root",
        # uv would ignore the image's Python, which is a virtual environment here.
        "UV_PYTHON": f"{folder}/usr/local/bin/python",
        # As in the Makefile: this machine may reach the index through a proxy with its own certificate.
        "UV_SYSTEM_CERTS": "1",
        "UV_CACHE_DIR": str(cache / "uv"),
        "PIP_CACHE_DIR": str(cache / "pip"),
    }
    return Image(folder, environment, base)


def _instructions(dockerfile: Path) -> Iterator[tuple[str, str]]:
    lines = (line for line in dockerfile.read_text().splitlines() if not line.startswith("#"))
    for line in re.sub(r"\\\n", "", "\n".join(lines)).splitlines():
        if line.strip():
            instruction, _, words = line.strip().partition(" ")
            yield instruction, words.strip()


def _copy(image: Image, words: str, stages: Mapping[str, Path]) -> None:
    *sources, target = words.split()
    context: Path = ROOT
    if sources[0].startswith("--from="):
        context = stages[sources.pop(0).removeprefix("--from=")]
    destination = image.cwd / image.inside(target)
    for source in sources:
        origin = context / source.removeprefix("/")
        if context == ROOT:
            allowed = any(source == name or source.startswith(f"{name}/") for name in _allowed())
            assert allowed, f"{source} is kept out by .dockerignore"
        if origin.is_dir():
            _copy_folder(origin, destination, of_stage=context != ROOT)
        else:
            into = destination / origin.name if target.endswith("/") else destination
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(origin, into)


def _copy_folder(origin: Path, destination: Path, *, of_stage: bool) -> None:
    # A finished stage never changes, so its files can be linked instead of copied.
    how = os.link if of_stage else shutil.copy2
    ignored = None if of_stage else shutil.ignore_patterns("__pycache__")
    shutil.copytree(origin, destination, symlinks=True, dirs_exist_ok=True, ignore=ignored, copy_function=how)


def _allowed() -> set[str]:
    return set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))


def _run(image: Image, words: str, _: Mapping[str, Path]) -> None:
    command = ["/bin/sh", "-c", image.inside(words)]
    done = subprocess.run(command, cwd=image.cwd, env=image.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"RUN {words}\n{done.stdout}{done.stderr}"


def _env(image: Image, words: str, _: Mapping[str, Path]) -> None:
    for pair in shlex.split(words):
        name, value = pair.split("=", 1)
        image.environment[name] = re.sub(r"\$(\w+)", lambda found: image.environment[found[1]], image.inside(value))


def _workdir(image: Image, words: str, _: Mapping[str, Path]) -> None:
    image.workdir = words
    image.cwd.mkdir(parents=True, exist_ok=True)


def _user(image: Image, words: str, _: Mapping[str, Path]) -> None:
    image.user = words


def _healthcheck(image: Image, words: str, _: Mapping[str, Path]) -> None:
    image.healthcheck = _exec_form(words.partition("CMD ")[2])


def _entrypoint(image: Image, words: str, _: Mapping[str, Path]) -> None:
    image.entrypoint = _exec_form(words)


def _cmd(image: Image, words: str, _: Mapping[str, Path]) -> None:
    image.command = _exec_form(words)


def _expose(_image: Image, words: str, _: Mapping[str, Path]) -> None:
    assert all(port.isdecimal() for port in words.split())


def _exec_form(words: str) -> list[str]:
    return list(json.loads(words)) if words.startswith("[") else ["/bin/sh", "-c", words]


_STEPS = {
    "COPY": _copy,
    "RUN": _run,
    "ENV": _env,
    "WORKDIR": _workdir,
    "USER": _user,
    "HEALTHCHECK": _healthcheck,
    "ENTRYPOINT": _entrypoint,
    "CMD": _cmd,
    "EXPOSE": _expose,
}
