"""Generates the reference of the Python SDK from its docstrings: `python sdk-python/generate/reference.py [FILE]`.

FILE is the page to write, by default the one in docs/; a test writes elsewhere and compares.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "sdk-python/src/aichat_sdk"
PAGE = ROOT / "docs/clients/python-reference.md"
WIDTH = 120
CODE = "    "

HEAD = """\
# Reference of the Python SDK

Generated from the docstrings: `make generate` writes it. `AIChat` has the methods of `AsyncAIChat` without `await`, and
its classes are in `aichat_sdk.sync`. Messages of the contract, in `aichat_sdk.types`, are in [the contract's own
comments](../../protos/aichat/v1).
"""
# After the client and its services: title, module, names.
SECTIONS = (
    ("Streams", "_stream", ("AnswerStream", "ChatStream")),
    ("Runs of tools", "_runs", ("ToolRun",)),
    ("Typed answers", "_output", ("TypedAnswer",)),
    ("Parameters of chats", "_params", ("CountParams", "ChatParams")),
    ("Content", "content", ("Image", "Document", "Audio", "ToolResult")),
    ("Tools", "tools", ("Tool",)),
    ("Lists", "paging", ("Page", "Pager")),
    ("Certificates", "_tls", ("TLS",)),
    ("Helpers", "_reading", ()),
    ("Tests", "testing", ("FakePlatform", "Sent")),
    ("Pieces of scripted answers", "_memory_answers", ("ToolCall",)),
    ("Errors", "errors", ()),
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def main(page: Path) -> None:
    """Writes the page."""
    page.write_text("\n".join([HEAD, *_client(), *_sections()]).rstrip() + "\n")


def _client() -> Iterator[str]:
    module = _parsed("client")
    client = _class(module, "AsyncAIChat")
    yield from _of_class("AsyncAIChat", client, "##")
    modules = {
        name.name: node.module for node in module.body if isinstance(node, ast.ImportFrom) for name in node.names
    }
    served = next(node for node in client.body if isinstance(node, ast.FunctionDef) and node.name == "_serve")
    for node in served.body:
        match node:
            case ast.Assign(targets=[ast.Attribute(attr=name)], value=ast.Call(func=ast.Name(id=kind))):
                service = _class(_parsed((modules[kind] or "").rpartition(".")[2]), kind)
                yield from _of_class(f"client.{name}", service, "##")


def _sections() -> Iterator[str]:
    for title, name, classes in SECTIONS:
        module = _parsed(name)
        yield f"## {title}\n"
        if not classes:
            yield from _text(module, CODE if name == "errors" else "")
        for found in classes:
            yield from _of_class(found, _class(module, found), "###")
        if not classes:
            for node in module.body:
                if isinstance(node, Function) and not node.name.startswith("_"):
                    yield from _of_function(node, "###")


def _parsed(module: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{module}.py").read_text())


def _class(module: ast.Module, name: str) -> ast.ClassDef:
    return next(node for node in module.body if isinstance(node, ast.ClassDef) and node.name == name)


def _of_class(title: str, found: ast.ClassDef, heading: str) -> Iterator[str]:
    yield f"{heading} {title}\n"
    yield from _text(found)
    yield from _attributes(found)
    for node in found.body:
        if isinstance(node, Function) and node.name == "__init__" and ast.get_docstring(node):
            yield _signature(node, found.name)
            yield from _text(node)
        elif isinstance(node, Function) and not node.name.startswith("_") and ast.get_docstring(node):
            yield from _of_function(node, f"{heading}#")


def _attributes(found: ast.ClassDef) -> Iterator[str]:
    """Yields the fields that have a docstring below them."""
    lines = []
    for node, after in zip(found.body, found.body[1:], strict=False):
        match node, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                lines += [f"- `{name}: {_kind(node.annotation)}`", *(f"  {line.strip()}" for line in text.splitlines())]
    if lines:
        yield "\n".join(lines) + "\n"


def _kind(annotation: ast.expr) -> str:
    """Returns an annotation without the marks of a TypedDict."""
    match annotation:
        case ast.Subscript(value=ast.Name(id="Required" | "NotRequired" | "ClassVar"), slice=inner):
            return ast.unparse(inner)
    return ast.unparse(annotation)


def _of_function(node: Function, heading: str) -> Iterator[str]:
    yield f"{heading} {node.name}\n"
    yield _signature(node, node.name)
    yield from _text(node)


def _signature(node: Function, name: str) -> str:
    """Returns the signature as a block of code; a property as its type."""
    returns = f" -> {ast.unparse(node.returns)}" if node.returns and node.name != "__init__" else ""
    if any(ast.unparse(decorator) == "property" for decorator in node.decorator_list):
        return f"{CODE}{name}: {returns.removeprefix(' -> ')}\n"
    begin = "await " if isinstance(node, ast.AsyncFunctionDef) and not returns.startswith(" -> AsyncIterator") else ""
    arguments = [part for part in ast.unparse(node.args).replace("self, ", "").replace("self", "").split(", ") if part]
    arguments = [part.replace("=", " = ", 1) if ": " in part else part for part in arguments]
    line = f"{CODE}{begin}{name}({', '.join(arguments)}){returns}"
    if len(line) <= WIDTH:
        return line + "\n"
    return f"{CODE}{begin}{name}(\n{_wrapped(arguments)}{CODE}){returns}\n"


def _wrapped(arguments: list[str]) -> str:
    """Returns one line for each argument, those together whose types have a comma."""
    lines: list[str] = []
    for argument in arguments:
        if lines and lines[-1].count("[") > lines[-1].count("]"):
            lines[-1] += f", {argument}"
        else:
            lines.append(f"{CODE}{CODE}{argument}")
    return "".join(f"{line},\n" for line in lines)


def _text(node: ast.Module | ast.ClassDef | Function, indent: str = "") -> Iterator[str]:
    text = ast.get_docstring(node)
    if text:
        yield "\n".join(f"{indent}{line}".rstrip() for line in text.splitlines()) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE)
