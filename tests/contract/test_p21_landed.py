"""Promise 21: what has landed only grows, and `make check` compares with all of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.contract.checks import ROOT, load_check

CONTRACT = "gen/descriptors.binpb"
MIGRATION = "server/migrations/versions/0001/tables.sql"
LIST = ".ci/migrations.sha256"


class Repository:
    """A small repository, with a commit for each write."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "--quiet")

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
        command = ["git", *who, *arguments]
        done = subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, path: str, content: bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def commit(self, path: str, content: bytes) -> str:
        self.write(path, content)
        return self.commit_all()

    def commit_all(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.fixture
def contract() -> ModuleType:
    return load_check("contract")


@pytest.fixture
def migrations() -> ModuleType:
    return load_check("migrations")


def without_field(landed: bytes) -> FileDescriptorSet:
    contract = FileDescriptorSet.FromString(landed)
    [usage] = [
        message
        for file in contract.file
        if file.name == "aichat/v1/messages.proto"
        for message in file.message_type
        if message.name == "Usage"
    ]
    usage.field.remove(next(field for field in usage.field if field.name == "output_tokens"))
    return contract


def with_comment(contract: FileDescriptorSet) -> bytes:
    """Returns another version, which breaks no further clients."""
    contract.file[-1].source_code_info.location.add(span=[0, 0, 0], leading_comments="Another")
    return contract.SerializeToString()


def test_a_contract_that_was_broken_in_an_earlier_commit_is_seen(
    repository: Repository, contract: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> None:
    landed = (ROOT / CONTRACT).read_bytes()
    work = tmp_path_factory.mktemp("work")
    repository.commit(CONTRACT, landed)
    assert not contract.breaks_what_landed(repository.root, work)
    broken = without_field(landed)
    repository.commit(CONTRACT, broken.SerializeToString())
    repository.commit(CONTRACT, with_comment(broken))
    assert contract.breaks_what_landed(repository.root, work)
    repository.commit(CONTRACT, with_comment(FileDescriptorSet.FromString(landed)))
    assert not contract.breaks_what_landed(repository.root, work), "what is mended breaks nobody"


def test_a_version_that_a_merge_dropped_counts_unless_it_never_landed(
    repository: Repository, contract: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> None:
    landed = (ROOT / CONTRACT).read_bytes()
    work = tmp_path_factory.mktemp("work")
    repository.commit(CONTRACT, without_field(landed).SerializeToString())
    repository.git("branch", "other")
    repository.commit("README.md", b"Something else")
    repository.git("switch", "--quiet", "other")
    grown = repository.commit(CONTRACT, landed)
    repository.git("switch", "--quiet", "-")
    repository.git("merge", "--quiet", "--strategy", "ours", "--message", "Merge", "other")
    assert contract.breaks_what_landed(repository.root, work)
    repository.write(".ci/unlanded", f"{grown}\n".encode())
    assert not contract.breaks_what_landed(repository.root, work)


def test_a_clone_without_history_is_refused(
    repository: Repository, contract: ModuleType, migrations: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> None:
    repository.commit(CONTRACT, (ROOT / CONTRACT).read_bytes())
    repository.commit(LIST, b"")
    folder = tmp_path_factory.mktemp("shallow")
    repository.git("clone", "--quiet", "--depth", "1", f"file://{repository.root}", str(folder))
    assert contract.breaks_what_landed(folder, tmp_path_factory.mktemp("work"))
    with pytest.raises(migrations.NoHistoryError, match="shallow"):
        list(migrations.changed(folder))


@pytest.fixture
def landed(repository: Repository, migrations: ModuleType) -> Repository:
    """A repository with a landed migration."""
    repository.write(LIST, b"")
    repository.write(MIGRATION, b"CREATE TABLE one ();")
    assert [line.split(" is not listed")[0] for line in migrations.unlisted(repository.root)] == [MIGRATION]
    migrations.add(repository.root)
    repository.commit_all()
    assert not [*migrations.changed(repository.root), *migrations.unlisted(repository.root)]
    return repository


def test_a_landed_migration_cannot_be_edited_or_removed(landed: Repository, migrations: ModuleType) -> None:
    landed.commit(MIGRATION, b"CREATE TABLE one (id bigint);")
    assert [line.split(" changed after")[0] for line in migrations.changed(landed.root)] == [MIGRATION]
    (landed.root / MIGRATION).unlink()
    assert [line.split(" changed after")[0] for line in migrations.changed(landed.root)] == [MIGRATION]


def test_adding_to_the_list_does_not_accept_an_edit(landed: Repository, migrations: ModuleType) -> None:
    landed.write(MIGRATION, b"CREATE TABLE one (id bigint);")
    migrations.add(landed.root)
    assert list(migrations.changed(landed.root))


def test_a_list_that_is_edited_too_is_seen_by_its_history(landed: Repository, migrations: ModuleType) -> None:
    landed.write(MIGRATION, b"CREATE TABLE one (id bigint);")
    landed.write(LIST, b"")
    migrations.add(landed.root)
    landed.commit_all()
    landed.commit("README.md", b"Something else")
    [told] = migrations.changed(landed.root)
    assert MIGRATION in told
    landed.commit(LIST, b"")
    assert list(migrations.changed(landed.root))


def test_all_migrations_are_listed_and_as_they_landed(migrations: ModuleType) -> None:
    assert not [*migrations.changed(ROOT), *migrations.unlisted(ROOT)]
