"""The protos that the contract imports are beside it, and agree with the installed packages."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from protovalidate._gen.buf.validate import validate_pb

PROTOS = Path(__file__).resolve().parents[2] / "protos"
IMPORTED = sorted(
    str(path.relative_to(PROTOS)) for name in ("buf", "google") for path in (PROTOS / name).rglob("*.proto")
)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FileDescriptorProto]:
    image = tmp_path_factory.mktemp("protos") / "image.binpb"
    command = (sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", f"--descriptor_set_out={image}")
    subprocess.run([*command, *IMPORTED], check=True)
    return {file.name: file for file in FileDescriptorSet.FromString(image.read_bytes()).file}


@pytest.mark.parametrize("name", IMPORTED)
def test_an_imported_file_says_what_the_installed_package_says(
    compiled: dict[str, FileDescriptorProto], name: str
) -> None:
    assert _meaning(compiled[name]) == _meaning(_installed(name))


def _installed(name: str) -> FileDescriptorProto:
    if name == "buf/validate/validate.proto":
        return FileDescriptorProto.FromString(validate_pb.desc().proto.to_binary())
    file = FileDescriptorProto()
    importlib.import_module(f"{name.removesuffix('.proto').replace('/', '.')}_pb2").DESCRIPTOR.CopyToProto(file)
    return file


def _meaning(file: FileDescriptorProto) -> FileDescriptorProto:
    """Returns the file without options for generators of other languages, and without names that follow from others."""
    meant = FileDescriptorProto()
    meant.CopyFrom(file)
    meant.ClearField("options")
    for extension in meant.extension:
        extension.ClearField("json_name")
    for message in meant.message_type:
        _strip(message)
    return meant


def _strip(message: DescriptorProto) -> None:
    for field in (*message.field, *message.extension):
        field.ClearField("json_name")
    for nested in message.nested_type:
        _strip(nested)
