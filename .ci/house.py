"""Checks the code's sizes and layout (CONTRIBUTING.md): prints each violation and exits 1 if there is any."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST_FILE_LINES = 300
MOST_MEDIAN_LINES = 100
MOST_FUNCTION_LINES = 40
MOST_LINE_CHARACTERS = 120
WRITTEN = (".py", ".proto", ".sql")
# Of Python files ruff checks the lines.
NARROW = (
    ".html", ".j2", ".lua", ".md", ".proto", ".sh", ".sql", ".toml", ".ts", ".yaml", ".yml", "Dockerfile", "Makefile",
)  # fmt: skip
NOT_OURS = ("gen/", "sdk-python/src/aichat_sdk/_proto/", "protos/buf/", "protos/google/")
# They never change once they have landed.
LANDED = ("server/migrations/versions/",)
FOLDERS = {
    ".ci", "benchmarks", "docs", "envoy", "gen", "protos", "sandbox", "sdk-python", "server", "tests",
    "web", "workers",
}  # fmt: skip


def main() -> int:
    """Checks every hand-written file that git tracks or would add."""
    found = files()
    written = [path for path in found if path.endswith(WRITTEN) and not path.startswith(NOT_OURS)]
    lengths = {path: len((ROOT / path).read_text().splitlines()) for path in written}
    complaints = [f"{path}: {n} lines, at most {MOST_FILE_LINES}" for path, n in lengths.items() if n > MOST_FILE_LINES]
    python = [path for path in written if path.endswith(".py")]
    median = statistics.median(lengths[path] for path in python)
    if median > MOST_MEDIAN_LINES:
        complaints.append(f"the median file has {median} lines, at most {MOST_MEDIAN_LINES}")
    for path in python:
        complaints += _check_file(path)
    for path in found:
        if path.endswith(NARROW) and not path.startswith(NOT_OURS + LANDED):
            complaints += _check_lines(path)
    strangers = {path.split("/")[0] for path in found if "/" in path} - FOLDERS
    complaints += [f"{folder}/ is not a folder of this repository" for folder in sorted(strangers)]
    for complaint in sorted(complaints):
        sys.stderr.write(complaint + "\n")
    return 1 if complaints else 0


def files() -> list[str]:
    """Returns the files that git tracks or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [path for path in listed if (ROOT / path).is_file()]


def _check_lines(path: str) -> Iterator[str]:
    for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
        if len(line) > MOST_LINE_CHARACTERS:
            yield f"{path}:{number}: {len(line)} characters, at most {MOST_LINE_CHARACTERS}"


def _check_file(path: str) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text(), path)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > MOST_FUNCTION_LINES:
            yield f"{path}:{node.lineno}: {node.name} has {length} lines, at most {MOST_FUNCTION_LINES}"
        if path.startswith("server/src"):
            yield from _check_imports(path, node)


def _check_imports(path: str, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield f"{path}:{node.lineno}: an import inside {function.name}"


if __name__ == "__main__":
    sys.exit(main())
