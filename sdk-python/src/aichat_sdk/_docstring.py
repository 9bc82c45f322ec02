"""Finds the descriptions of a function and its parameters in its docstring: Google's, NumPy's or Sphinx's style."""

from __future__ import annotations

import inspect
import re
from itertools import zip_longest

_SECTIONS = "Args|Arguments|Parameters|Params|Returns|Return|Yields|Raises|Example|Examples|Note|Notes"
_SECTION = re.compile(rf"^({_SECTIONS})(:[ \t]*\n|[ \t]*\n-{{3,}}[ \t]*\n)", re.MULTILINE)
_OF_PARAMETERS = {"Args", "Arguments", "Parameters", "Params"}
# A name at the left edge, with a type or without one, and a colon or the line's end (NumPy).
_ENTRY = re.compile(r"^\*{0,2}(\w+)(?:[ \t]*\([^)\n]*\))?[ \t]*(?::[ \t]*(.*))?$")
_SPHINX = re.compile(r"^:(\w+)(?:[ \t]+([^:\n]+))?:[ \t]*(.*(?:\n[ \t]+.*)*)", re.MULTILINE)


def read_docstring(documented: object) -> tuple[str, dict[str, str]]:
    """Returns the description, and the descriptions of parameters by their names; empty if there are none."""
    text = inspect.getdoc(documented) or ""
    parameters = {
        named.split()[-1]: _line(said) for kind, named, said in _SPHINX.findall(text) if kind == "param" and named
    }
    text = _SPHINX.sub("", text)
    marks = list(_SECTION.finditer(text))
    for mark, after in zip_longest(marks, marks[1:]):
        if mark[1] in _OF_PARAMETERS:
            body = text[mark.end() : after.start() if after else len(text)]
            parameters |= _entries(body, numpy="-" in mark[2])
    return (text[: marks[0].start()] if marks else text).strip(), parameters


def _entries(body: str, *, numpy: bool) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    name = ""
    for line in inspect.cleandoc("\n" + body).splitlines():
        entry = _ENTRY.match(line)
        if entry is not None:
            name = entry[1]
            # NumPy writes the type behind the colon, and the description below.
            found[name] = [] if numpy else [entry[2] or ""]
        elif name:
            found[name].append(line)
    return {name: _line(" ".join(lines)) for name, lines in found.items()}


def _line(text: str) -> str:
    return " ".join(text.split())
