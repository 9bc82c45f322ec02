"""Promise 14: `make check` refuses what would break a client of the contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet

from tests.contract.checks import ROOT, load_check

LANDED = (ROOT / "gen/descriptors.binpb").read_bytes()
Change = Callable[[FileDescriptorSet], None]


def file_of(contract: FileDescriptorSet, name: str) -> FileDescriptorProto:
    return next(file for file in contract.file if file.name == f"aichat/v1/{name}.proto")


def message_of(contract: FileDescriptorSet, file: str, name: str) -> DescriptorProto:
    return next(message for message in file_of(contract, file).message_type if message.name == name)


def usage_field(contract: FileDescriptorSet, name: str = "output_tokens") -> FieldDescriptorProto:
    return next(field for field in message_of(contract, "messages", "Usage").field if field.name == name)


def add_field(contract: FileDescriptorSet) -> None:
    field = message_of(contract, "messages", "Usage").field.add()
    field.CopyFrom(usage_field(contract))
    field.name, field.json_name, field.number = "more_tokens", "moreTokens", 1000


def add_method(contract: FileDescriptorSet) -> None:
    (service,) = file_of(contract, "chat").service
    service.method.add().CopyFrom(service.method[0])
    service.method[-1].name = "StreamMore"


def drop_field(contract: FileDescriptorSet) -> None:
    message_of(contract, "messages", "Usage").field.remove(usage_field(contract))


def renumber_field(contract: FileDescriptorSet) -> None:
    usage_field(contract).number = 1000


def rename_field(contract: FileDescriptorSet) -> None:
    usage_field(contract).name, usage_field(contract, "written").json_name = "written", "written"


def change_type(contract: FileDescriptorSet) -> None:
    usage_field(contract).type = FieldDescriptorProto.TYPE_STRING


def drop_value(contract: FileDescriptorSet) -> None:
    del file_of(contract, "errors").enum_type[0].value[-1]


def drop_method(contract: FileDescriptorSet) -> None:
    del file_of(contract, "chat").service[0].method[0]


def drop_service(contract: FileDescriptorSet) -> None:
    del file_of(contract, "conversations").service[:]


def drop_message(contract: FileDescriptorSet) -> None:
    file = file_of(contract, "events")
    file.message_type.remove(message_of(contract, "events", "Heartbeat"))
    for name in ("StreamChatResponse", "ResumeChatResponse"):
        fields = message_of(contract, "chat", name).field
        fields.remove(next(field for field in fields if field.name == "heartbeat"))


def move_path(contract: FileDescriptorSet) -> None:
    (service,) = file_of(contract, "chat").service
    service.method[0].options.Extensions[annotations_pb2.http].post = "/v1/talk:stream"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    """The contract's part of `make check`."""
    return load_check("contract")


def changed(change: Change) -> bytes:
    contract = FileDescriptorSet.FromString(LANDED)
    change(contract)
    return contract.SerializeToString()


@pytest.mark.parametrize("change", [add_field, add_method, lambda _: None])
def test_additions_break_nobody(check: ModuleType, tmp_path: Path, change: Change) -> None:
    assert not check.breaks(LANDED, changed(change), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        drop_field, renumber_field, rename_field, change_type, drop_value, drop_method, drop_service, drop_message,
        move_path,
    ],
)  # fmt: skip
def test_removals_and_changes_are_refused(
    check: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str], change: Change
) -> None:
    assert check.breaks(LANDED, changed(change), tmp_path)
    said = "".join(capfd.readouterr())
    assert "aichat" in said or "HTTP path" in said
    assert "Failure:" not in said, "the comparison itself failed"
