"""Puts the generated contract and the migrations into the server's wheel: nothing else on a machine needs them.

An editable install leaves them where they are, so that `make generate` takes effect at once.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

INCLUDED = {
    "../gen/python/aichat": "aichat",
    "../gen/python/buf": "buf",
    "migrations": "aichat_server/migrations",
}


class IncludeHook(BuildHookInterface[Any]):
    """Adds the files to a wheel that is to be installed elsewhere."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """`version` is "standard" or "editable"."""
        if version == "standard":
            build_data["force_include"].update(INCLUDED)
