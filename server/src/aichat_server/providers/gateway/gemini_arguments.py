"""A tool call's arguments that arrive value by value, each with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aichat_server.providers.gateway.sse import BrokenStreamError

# `$.operations[0].action`, or `$['a name']`.
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d{1,6})\]|\['((?:[^'\\]|\\.)*)'\]")
_VALUES = ("stringValue", "numberValue", "boolValue", "nullValue")


class PartialArguments:
    """The arguments as far as they have come."""

    def __init__(self) -> None:
        self._root: dict[str | int, Any] = {"$": {}}

    @property
    def value(self) -> Any:
        """All arguments."""
        return self._root["$"]

    def update(self, arguments: Mapping[str, Any]) -> None:
        """Takes arguments that are whole."""
        self.value.update(arguments)

    def take(self, piece: Mapping[str, Any]) -> None:
        """Takes the next value, or more of a string. Raises BrokenStreamError if its place cannot be understood."""
        name = next((name for name in _VALUES if name in piece), None)
        if name is None:
            return
        value = None if name == "nullValue" else piece[name]
        node: Any = self._root
        key: str | int = "$"
        for step in _steps(piece.get("jsonPath")):
            node = _entered(node, key, [] if isinstance(step, int) else {})
            key = step
        before = _entered(node, key, "" if isinstance(value, str) else value)
        node[key] = before + value if isinstance(before, str) and isinstance(value, str) else value


def _steps(path: object) -> list[str | int]:
    if not isinstance(path, str) or not path.startswith("$"):
        raise BrokenStreamError("an argument without a place")
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise BrokenStreamError("an argument whose place cannot be read")
        name, index, quoted = step.groups()
        steps.append(int(index) if index is not None else name or re.sub(r"\\(.)", r"\1", quoted or ""))
        at = step.end()
    return steps


def _entered(node: Any, key: str | int, default: Any) -> Any:
    """Returns what is at `key`, which is `default` if there was nothing."""
    if isinstance(node, dict) and isinstance(key, str):
        return node.setdefault(key, default)
    if isinstance(node, list) and isinstance(key, int) and key <= len(node):
        if key == len(node):
            node.append(default)
        return node[key]
    raise BrokenStreamError("an argument whose place does not exist")
