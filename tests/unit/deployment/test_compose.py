"""docker-compose.yml, the Dockerfiles and .env.example agree with the settings and with each other."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aichat_server.app.deadline import LAST_SECONDS
from aichat_server.settings import Settings
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILES = sorted([*ROOT.glob("*/Dockerfile"), *ROOT.glob("*/docker/*.Dockerfile")])
# Variables that the databases' own images read.
IMAGE_SETTINGS = {"POSTGRES_PASSWORD"}
INTERPOLATED = re.compile(r"\$\{(\w+)(?::?[-?][^}]*)?\}")


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(COMPOSE.read_text())
    return loaded


def settings() -> dict[str, bool]:
    """Returns the server's settings, and whether each is required."""
    return {str(field.alias): field.is_required() for field in Settings.model_fields.values()}


def edge_settings() -> Mapping[str, Any]:
    """Returns the edge's settings with their defaults."""
    variables: Mapping[str, Any] = runpy.run_path(str(ROOT / "envoy" / "render.py"))["VARIABLES"]
    return variables


def example() -> dict[str, tuple[bool, str]]:
    """Returns the variables of .env.example: whether each has no leading `#`, and its value."""
    lines = re.findall(r"^(# )?([A-Z][A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert len(lines) == len({name for _, name, _ in lines})
    return {name: (not comment, value) for comment, name, value in lines}


def test_compose_is_well_formed() -> None:
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_compose_has_every_part() -> None:
    assert set(compose()["services"]) == {"server", "workers", "envoy", "postgres", "redis", "migrate"}


@pytest.mark.parametrize("service", ["server", "workers", "migrate"])
def test_the_server_gets_every_setting_it_needs_and_none_it_does_not_know(service: str) -> None:
    given = set(compose()["services"][service]["environment"])
    known = settings()
    assert given <= set(known)
    assert given >= {name for name, required in known.items() if required}
    # Every setting in `.env` reaches the server, except the URL for migrations, which needs another role.
    assert set(known) - given <= {"AICHAT_MIGRATION_DATABASE_URL"}


def test_migrations_run_as_their_own_role() -> None:
    services = compose()["services"]
    assert "AICHAT_MIGRATION_DATABASE_URL" in services["migrate"]["environment"]
    assert "AICHAT_MIGRATION_DATABASE_URL" not in services["server"]["environment"]


def test_the_edge_gets_only_what_it_reads() -> None:
    given = compose()["services"]["envoy"]["environment"]
    assert set(given) <= set(edge_settings())
    assert set(given["AICHAT_UPSTREAMS"].split(",")) == {
        f"server:{address.rpartition(':')[2]}"
        for address in compose()["services"]["server"]["environment"]["AICHAT_LISTEN"].split(",")
    }


def test_no_password_stands_in_compose() -> None:
    text = COMPOSE.read_text()
    assert re.findall(r"://(\w+):([^@]*)@", text) == [
        ("aichat_app", "${POSTGRES_APP_PASSWORD:?set it in .env}"),
        ("aichat_owner", "${POSTGRES_OWNER_PASSWORD:?set it in .env}"),
    ]


def test_the_example_has_every_setting_and_no_other() -> None:
    interpolated = set(INTERPOLATED.findall(COMPOSE.read_text()))
    assert set(example()) == set(settings()) | set(edge_settings()) | interpolated | IMAGE_SETTINGS


def test_the_example_sets_apart_what_is_required() -> None:
    required = {name for name, needed in settings().items() if needed}
    required |= {"POSTGRES_PASSWORD", "POSTGRES_OWNER_PASSWORD", "POSTGRES_APP_PASSWORD"}
    assert {name for name, (uncommented, _) in example().items() if uncommented} == required


def test_the_example_shows_the_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in settings():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@host/database")
    defaults = Settings()
    for name, (uncommented, value) in example().items():
        if name in settings() and not uncommented:
            monkeypatch.setenv(name, value)
    assert Settings() == defaults


def test_the_example_shows_the_edges_defaults() -> None:
    told = {name: value for name, (_, value) in example().items() if name in edge_settings()}
    told["AICHAT_EDGE_DESCRIPTORS"] = str(ROOT / told["AICHAT_EDGE_DESCRIPTORS"])
    assert told == {name: variable.default for name, variable in edge_settings().items()}


def test_there_is_a_dockerfile_for_each_part() -> None:
    built = {name: service["build"] for name, service in compose()["services"].items()}
    used = {(ROOT / build["context"] / build["dockerfile"]).resolve() for build in built.values()}
    assert used == set(DOCKERFILES)
    assert set(built) == {"server", "workers", "envoy", "postgres", "redis", "migrate"}


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_dockerfile_copies_is_there_and_not_ignored(dockerfile: Path) -> None:
    allowed = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    for words in re.findall(r"^COPY (?!--from)(.+)$", dockerfile.read_text(), re.MULTILINE):
        for source in words.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert any(source == name or source.startswith(f"{name}/") for name in allowed), source


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_image_knows_whether_it_is_well_and_ours_run_without_rights(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    assert re.search(r"^HEALTHCHECK ", text, re.MULTILINE)
    if "python:" in text:
        # A number: an orchestrator cannot tell from a name whether it is root.
        [user] = re.findall(r"^USER (\S+)$", text[text.rindex("\nFROM ") :], re.MULTILINE)
        assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
        assert "--require-hashes" in text


def test_every_part_has_time_to_stop_before_it_is_killed() -> None:
    services, defaults = compose()["services"], {str(f.alias): f.default for f in Settings.model_fields.values()}
    edge = {name: float(edge_settings()[name].default) for name in edge_settings() if name.endswith("_SECONDS")}
    needed = {
        "server": defaults["AICHAT_ANNOUNCE_SECONDS"] + defaults["AICHAT_DRAIN_SECONDS"] + LAST_SECONDS,
        "workers": defaults["AICHAT_DRAIN_SECONDS"] + LAST_SECONDS,
        "envoy": edge["AICHAT_EDGE_ANNOUNCE_SECONDS"] + edge["AICHAT_EDGE_DRAIN_SECONDS"] + 5,
    }
    for service, seconds in needed.items():
        assert float(services[service]["stop_grace_period"].rstrip("s")) > seconds
    # Before a server refuses calls, the edge has checked its health.
    assert defaults["AICHAT_ANNOUNCE_SECONDS"] > edge["AICHAT_EDGE_HEALTH_CHECK_SECONDS"] + 1


def test_services_that_stay_are_restarted() -> None:
    services = compose()["services"]
    assert {name for name, service in services.items() if service["restart"] == "unless-stopped"} == {
        "server",
        "workers",
        "envoy",
        "postgres",
        "redis",
    }


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_an_image_is_built_on_is_pinned(dockerfile: Path) -> None:
    bases = re.findall(r"^FROM (\S+)", dockerfile.read_text(), re.MULTILINE)
    assert bases
    for base in bases:
        assert re.fullmatch(r"\w+:\d+\.\d+(\.\d+)?-\w+@sha256:[0-9a-f]{64}", base)


def bytes_of(limit: str) -> int:
    return int(limit[:-1]) * {"k": 2**10, "m": 2**20, "g": 2**30}[limit[-1]]


def test_no_part_can_take_all_of_the_hosts_memory_or_disk() -> None:
    for service in compose()["services"].values():
        assert bytes_of(service["mem_limit"]) <= 2**31
        options = service["logging"]["options"]
        assert bytes_of(options["max-size"]) * int(options["max-file"]) <= 2**30


def test_redis_refuses_writes_before_it_is_killed_for_its_memory() -> None:
    command = (ROOT / "server/docker/redis.Dockerfile").read_text()
    [most] = re.findall(r'"--maxmemory", "(\d+[mg])b"', command)
    # Redis copies changing data while it rewrites its file: all of it, at worst.
    assert 2 * bytes_of(most) <= bytes_of(compose()["services"]["redis"]["mem_limit"])
    assert '"--maxmemory-policy", "noeviction"' in command
