"""Checks the contract: generated code is current, buf's lint passes, and clients of all landed versions still work."""

from __future__ import annotations

import filecmp
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from history import ROOT, UNLANDED, NoHistoryError, versions

BUF = Path(sys.executable).parent / "buf"
DERIVED = (
    "gen/python", "gen/ts", "gen/descriptors.binpb", "gen/openapi.json", "gen/reference.html",
    "sdk-python/src/aichat_sdk/_proto",
)  # fmt: skip
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
        broken = breaks_what_landed(ROOT, fresh)
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


def breaks_what_landed(root: Path, work: Path) -> bool:
    """Whether today's contract breaks clients of any version that ever landed, even one that a later version broke."""
    today = (root / DESCRIPTORS).read_bytes()
    try:
        landed = [(commit, version) for commit, version in versions(DESCRIPTORS, root) if version != today]
    except NoHistoryError as error:
        sys.stderr.write(f"buf breaking: {error}\n")
        return True
    broken = [commit for commit, version in landed if breaks(version, today, work)]
    for commit in broken:
        sys.stderr.write(
            f"the contract of {commit} is broken; if that one never landed, squash it or name it in {UNLANDED}\n"
        )
    return bool(broken)


def breaks(landed: bytes, today: bytes, work: Path) -> bool:
    """Whether clients built from `landed` may fail against `today`, both descriptors; prints why on standard error."""
    before, after = work / "landed.binpb", work / "today.binpb"
    before.write_bytes(landed)
    after.write_bytes(today)
    compared = subprocess.run([BUF, "breaking", after, "--against", before], cwd=ROOT, check=False)
    paths, kept = _http_paths(landed), _http_paths(today)
    moved = sorted(method for method, path in paths.items() if kept.get(method, path) != path)
    for method in moved:
        sys.stderr.write(f"{method}: its HTTP path changed, it was {' '.join(paths[method])}\n")
    return bool(compared.returncode or moved)


def _http_paths(descriptors: bytes) -> dict[str, tuple[str, str, str]]:
    """Returns the HTTP route of each method: verb, path and the request's field that is the body."""
    found = {}
    for file in FileDescriptorSet.FromString(descriptors).file:
        for service in file.service:
            for method in service.method:
                rule = method.options.Extensions[annotations_pb2.http]
                verb = rule.WhichOneof("pattern")
                if verb is not None:
                    found[f"{file.package}.{service.name}.{method.name}"] = (verb, getattr(rule, verb), rule.body)
    return found


if __name__ == "__main__":
    sys.exit(main())
