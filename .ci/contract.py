"""Checks the contract: generated code is up to date, buf's lint passes, and nothing breaks clients of what landed."""

from __future__ import annotations

import filecmp
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet

ROOT = Path(__file__).resolve().parent.parent
BUF = Path(sys.executable).parent / "buf"
DERIVED = ("gen/python", "gen/ts", "gen/descriptors.binpb", "sdk-python/src/aichat_sdk/_proto")
DESCRIPTORS = "gen/descriptors.binpb"


def main() -> int:
    """Runs the three checks; prints what fails and exits 1."""
    with tempfile.TemporaryDirectory() as directory:
        fresh = Path(directory)
        command = [sys.executable, "protos/generate.py", directory]
        generated = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        if generated.returncode:
            sys.stderr.write(generated.stderr)
            return 1
        stale = [path for derived in DERIVED for path in _differences(ROOT / derived, fresh / derived)]
        for path in stale:
            sys.stderr.write(f"{path} is out of date: run `make generate`\n")
        lint = subprocess.run([BUF, "lint", ".buf/image.binpb"], cwd=ROOT, check=False).returncode
        landed = _landed_descriptors()
        if landed is None:
            sys.stderr.write("buf breaking: nothing has landed yet to compare with\n")
        broken = landed is not None and breaks(landed, (ROOT / DESCRIPTORS).read_bytes(), fresh)
    return 1 if stale or lint or broken else 0


def _differences(committed: Path, fresh: Path) -> Iterator[str]:
    files = {path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()} if fresh.is_dir() else {Path()}
    if committed.is_dir():
        files |= {path.relative_to(committed) for path in committed.rglob("*") if path.is_file()}
    for file in sorted(files):
        if "__pycache__" in file.parts:
            continue
        one, other = committed / file, fresh / file
        if not (one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)):
            yield str(one.relative_to(ROOT))


def breaks(landed: bytes, today: bytes, work: Path) -> bool:
    """Whether clients built from `landed` may fail against `today`, both descriptors; says why on standard error."""
    before, after = work / "landed.binpb", work / "today.binpb"
    before.write_bytes(landed)
    after.write_bytes(today)
    compared = subprocess.run([BUF, "breaking", after, "--against", before], cwd=ROOT, check=False)
    paths, kept = _http_paths(landed), _http_paths(today)
    moved = sorted(method for method, path in paths.items() if kept.get(method, path) != path)
    for method in moved:
        sys.stderr.write(f"{method}: its HTTP path is not what it was, {' '.join(paths[method])}\n")
    return bool(compared.returncode or moved)


def _http_paths(descriptors: bytes) -> dict[str, tuple[str, str, str]]:
    """Where each method is called over HTTP: verb, path and what of the request is the body."""
    found = {}
    for file in FileDescriptorSet.FromString(descriptors).file:
        for service in file.service:
            for method in service.method:
                rule = method.options.Extensions[annotations_pb2.http]
                verb = rule.WhichOneof("pattern")
                if verb is not None:
                    found[f"{file.package}.{service.name}.{method.name}"] = (verb, getattr(rule, verb), rule.body)
    return found


def _landed_descriptors() -> bytes | None:
    """The newest committed descriptors that differ from today's: what clients may have been built from."""
    today = (ROOT / DESCRIPTORS).read_bytes()
    for commit in _git("log", "--format=%H", "--", DESCRIPTORS).decode().split():
        earlier = _git("show", f"{commit}:{DESCRIPTORS}")
        if earlier and earlier != today:
            return earlier
    return None


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=False, capture_output=True).stdout  # noqa: S607


if __name__ == "__main__":
    sys.exit(main())
