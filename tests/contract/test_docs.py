"""What the documents name is there: targets, commands, files, settings, reasons."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from aichat_sdk.cli import main as aichat
from aichat_server.__main__ import main as server
from aichat_server.settings import CompatibleEndpoint
from aichat_workers.__main__ import main as workers
from grpc import StatusCode
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from tests.fixtures.documents import DOCUMENTS, ROOT, command_lines

# A path in a document begins at the repository's root, or in the server's package where the text is about that.
BASES = (ROOT, ROOT / "server/src/aichat_server")
MADE_WHEN_RUN = (".venv", ".sandbox")

QUOTED = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.<>*-]+(/[\w.<>*-]*)+|[\w.-]+\.(py|ts|md|yml|yaml|toml|lock|in|json|example|binpb|j2)")
MEDIA_TYPE = re.compile(r"(application|text)/")
# Three plain words or more are what a log line says.
MESSAGE = re.compile(r"[a-z']+(,? [a-z']+){2,}")
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
CONSTANT = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
NAMING_CONSTANTS = (
    ".env.example",
    "envoy/render.py",
    "protos/aichat/v1/*.proto",
    "sdk-python/src/aichat_sdk/*.py",
    "sdk-python/src/aichat_sdk/cli/*.py",
    "sandbox/src/aichat_sandbox/env.py",
    "tests/clients/*.py",
)

MODULES: dict[str, Callable[[list[str]], int]] = {
    "aichat_server": server,
    "aichat_workers": workers,
    "aichat_sdk.cli": aichat,
}
PLACEHOLDERS = {"ID": "00000000-0000-0000-0000-000000000000", "KEY": "00000000-0000-0000-0000-000000000000"}

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


@each_document
def test_every_make_target_exists(document: Path) -> None:
    named = re.findall(r"(?:`|^\s*)make ([a-z]+)", document.read_text(), re.MULTILINE)
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert not set(named) - set(targets)


@each_document
def test_every_python_command_exists(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for module, command in re.findall(r"python -m ([\w.]+)(?: ([a-z][a-z-]*))?", document.read_text()):
        assert find_spec(module), f"there is no module {module}"
        if module in MODULES and command:
            with pytest.raises(SystemExit) as ended:
                MODULES[module]([command, "--help"])
            assert ended.value.code == 0, f"there is no command {command}: {capsys.readouterr().err}"


@each_document
def test_every_service_of_compose_exists(document: Path) -> None:
    named = re.findall(r"docker compose (?:run --rm|stop|exec) ([a-z]+)", document.read_text())
    services = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text())["services"]
    assert not set(named) - set(services)


@each_document
def test_every_command_line_is_taken(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Without settings a command fails right after it has read its command line.
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "AICHAT_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for module, words in command_lines(document):
        try:
            assert MODULES[module]([PLACEHOLDERS.get(word, word) for word in words]) or "completion" in words
        except SystemExit:
            pytest.fail(f"{words} is not taken: {capsys.readouterr().err}")


@each_document
def test_every_message_is_logged(document: Path) -> None:
    sources = [path.read_text() for part in ("server", "workers") for path in (ROOT / part / "src").rglob("*.py")]
    said = "\n".join(sources)
    assert not [
        quoted for quoted in QUOTED.findall(document.read_text()) if MESSAGE.fullmatch(quoted) and quoted not in said
    ]


@each_document
def test_every_path_exists(document: Path) -> None:
    paths = {quoted for quoted in QUOTED.findall(document.read_text()) if PATH.fullmatch(quoted)}
    missing = {path for path in paths if not MEDIA_TYPE.match(path) and not _exists(path)}
    assert not missing


@each_document
def test_every_link_leads_somewhere(document: Path) -> None:
    for target, anchor in LINK.findall(document.read_text()):
        if "://" in target:
            continue
        linked = document.parent / target if target else document
        assert linked.exists(), f"there is no {target}"
        assert not anchor or anchor in _anchors(linked), f"{target} has no heading {anchor}"


@each_document
def test_every_constant_exists(document: Path) -> None:
    sources = [path.read_text() for pattern in NAMING_CONSTANTS for path in ROOT.glob(pattern)]
    known = set(CONSTANT.findall("\n".join(sources))) | {code.name for code in StatusCode} | set(dir(socket))
    # Reasons go over the wire without their prefix.
    known |= {name.removeprefix("ERROR_REASON_") for name in known}
    # gRPC and Claude Code read these.
    known |= {"GRPC_ENABLE_FORK_SUPPORT", "ANTHROPIC_CUSTOM_HEADERS"}
    assert not set(CONSTANT.findall(document.read_text())) - known


def test_the_example_of_a_compatible_endpoint_is_valid() -> None:
    example = re.search(r"```json\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert example
    (endpoint,) = TypeAdapter(tuple[CompatibleEndpoint, ...]).validate_json(example[1])
    assert endpoint.models


def _exists(path: str) -> bool:
    if path.startswith(MADE_WHEN_RUN):
        return True
    pattern = re.sub(r"<\w+>", "*", path).rstrip("/")
    return any(any(base.glob(pattern)) for base in BASES)


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
