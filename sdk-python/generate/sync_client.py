"""Generates `aichat_sdk.sync`, the client for code without an event loop: `python …/sync_client.py [OUT]`.

Each of its classes has the methods of the asynchronous class of that name, and runs them in the client's own event
loop. OUT is the folder to write to, by default the package's; a test writes elsewhere and compares.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from sync_classes import SyncClass, SyncClient

PACKAGE = Path(__file__).resolve().parent.parent / "src/aichat_sdk"
RUFF = Path(sys.executable).parent / "ruff"
# What the methods of services return.
RETURNED = ("_runs", "_stream", "paging")
CLIENT = "client"


def main(out: Path) -> None:
    """Writes the package's modules to `out`."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    modules = {module: _parsed(module) for module in (*RETURNED, *_services(), CLIENT)}
    made = {found.name: module for module, tree in modules.items() for found in _classes(tree)}
    for module, tree in modules.items():
        (out / f"{module.lstrip('_')}.py").write_text(_module(module, tree, made))
    names = ["AIChat", *(name for name, module in made.items() if module in RETURNED)]
    imports = [f"from aichat_sdk.sync.{made.get(name, CLIENT).lstrip('_')} import {name}" for name in names]
    head = '"""The client for code without an event loop. Generated: do not edit."""'
    (out / "__init__.py").write_text("\n".join([head, *imports, f"__all__ = {sorted(names)}\n"]))
    for command in (["check", "--quiet", "--fix", "--select", "F401,I,RUF022"], ["format", "--quiet"]):
        config = ("--config", str(PACKAGE.parent.parent.parent / "pyproject.toml"))
        subprocess.run([str(RUFF), *command, "--no-cache", *config, str(out)], check=True)


def _parsed(module: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{module}.py").read_text())


def _services() -> Iterator[str]:
    """Yields the modules whose classes the client holds."""
    for node in _parsed(CLIENT).body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.module.startswith("aichat_sdk._"):
            _, _, module = node.module.partition("aichat_sdk.")
            if module and any(_is_service(found) for found in _classes(_parsed(module))):
                yield module


def _is_service(found: ast.ClassDef) -> bool:
    made = next((one for one in found.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
    return made is not None and any(argument.arg == "transport" for argument in made.args.args)


def _classes(tree: ast.Module) -> list[ast.ClassDef]:
    """Returns the public classes with methods that wait."""
    return [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and any(isinstance(inner, ast.AsyncFunctionDef) for inner in node.body)
    ]


def _module(module: str, tree: ast.Module, made: dict[str, str]) -> str:
    """Returns the source of one module."""
    classes = _classes(tree)
    make = SyncClient if module == CLIENT else SyncClass
    body = "\n\n\n".join(make(found, made).source() for found in classes)
    docstring = ast.get_docstring(tree) or ""
    inner = ["AsyncAIChat"] if module == CLIENT else [f"{found.name} as Async{found.name}" for found in classes]
    names = ["AIChat"] if module == CLIENT else [found.name for found in classes]
    head = [
        f'"""{docstring.splitlines()[0]} Generated from {module}.py: do not edit."""',
        "from __future__ import annotations",
        *(_imports(node, made) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)),
        "from collections.abc import Iterator",
        "from aichat_sdk._portal import Portal",
        f"from aichat_sdk.{module} import {', '.join([*inner, *_defined(tree, classes)])}",
        f"__all__ = {sorted(names)}",
    ]
    return "\n".join(head) + "\n\n\n" + body + "\n"


def _imports(node: ast.Import | ast.ImportFrom, made: dict[str, str]) -> str:
    """Returns the same imports, of classes in `aichat_sdk.sync` where there are such."""
    if isinstance(node, ast.Import):
        return ast.unparse(node)
    lines = [
        f"from aichat_sdk.sync.{made[name.name].lstrip('_')} import {name.name}"
        if name.name in made
        else ast.unparse(ast.ImportFrom(node.module, [name], node.level))
        for name in node.names
        if node.module != "__future__"
    ]
    return "\n".join(lines)


def _defined(tree: ast.Module, classes: list[ast.ClassDef]) -> list[str]:
    """Returns what else the module defines; what is not used is removed later."""
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and node not in classes]
    assigned = (node.targets for node in tree.body if isinstance(node, ast.Assign))
    defined += [target.id for targets in assigned for target in targets if isinstance(target, ast.Name)]
    return [name for name in defined if not name.startswith("_")]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGE / "sync")
