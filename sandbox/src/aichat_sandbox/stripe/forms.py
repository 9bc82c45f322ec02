"""Decodes Stripe's parameters: form-encoded, nested by brackets, and all strings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .failures import invalid, missing_parameter

_STEP = re.compile(r"[^\[\]]+|\[\]")


def decode(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Decodes `a[b][0]=c` as `{"a": {"b": ["c"]}}`."""
    tree: dict[str, Any] = {}
    for name, value in pairs:
        node, steps = tree, _STEP.findall(name)
        for step in steps[:-1]:
            node = node.setdefault(_key(node, step), {})
        node[_key(node, steps[-1])] = value
    return {name: _lists(value) for name, value in tree.items()}


def _key(node: Mapping[str, Any], step: str) -> str:
    return str(len(node)) if step == "[]" else step


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(one) for name, one in value.items()}
    if all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


class Params:
    """The parameters of one call, or those nested in one of them. An empty string counts as absent."""

    def __init__(self, values: Mapping[str, Any], prefix: str = "") -> None:
        """`prefix` is the name of the parameter that contains these."""
        self.values = values
        self._prefix = prefix

    def name(self, name: str) -> str:
        """Returns the name as the caller wrote it."""
        return f"{self._prefix}[{name}]" if self._prefix else name

    def given(self, name: str) -> bool:
        """Whether it was sent, even if empty."""
        return name in self.values

    def text(self, name: str) -> str | None:
        """Returns a string; None if it is absent."""
        value = self.values.get(name)
        if isinstance(value, dict | list):
            raise invalid(f"Invalid string: {value}", self.name(name))
        return value or None

    def required(self, name: str) -> str:
        """Returns a string that must be present."""
        value = self.text(name)
        if value is None:
            raise missing_parameter(self.name(name))
        return value

    def number(self, name: str) -> int | None:
        """Returns an integer; None if it is absent."""
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(r"-?\d+", value):
            raise invalid(f"Invalid integer: {value}", self.name(name), "parameter_invalid_integer")
        return int(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """Returns a boolean."""
        value = self.text(name)
        if value not in {None, "true", "false"}:
            raise invalid(f"Invalid boolean: {value}", self.name(name))
        return default if value is None else value == "true"

    def choice(self, name: str, allowed: str, default: str) -> str:
        """Returns one of the words of `allowed`."""
        value = self.text(name) or default
        if value not in allowed.split():
            raise invalid(f"Invalid {name}: must be one of {', '.join(allowed.split())}", self.name(name))
        return value

    def nested(self, name: str) -> Params:
        """Returns the parameters nested in it; none if it is absent."""
        value = self.values.get(name) or {}
        if not isinstance(value, dict):
            raise invalid("Invalid object", self.name(name))
        return Params(value, self.name(name))

    def each(self, name: str) -> list[Params]:
        """Returns the entries of a list of objects."""
        value = self.values.get(name) or []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise invalid("Invalid array", self.name(name))
        return [Params(one, f"{self.name(name)}[{index}]") for index, one in enumerate(value)]

    def texts(self, name: str) -> list[str]:
        """Returns the entries of a list of strings."""
        value = self.values.get(name) or []
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise invalid("Invalid array", self.name(name))
        return value

    def metadata(self, before: Mapping[str, str] | None = None) -> dict[str, str]:
        """Returns `before` with the given keys replaced and the empty ones removed."""
        if not self.given("metadata"):
            return dict(before or {})
        given = self.values["metadata"]
        if given == "":
            return {}
        merged = {**(before or {}), **self.nested("metadata").values}
        return {key: str(value) for key, value in merged.items() if value != ""}
