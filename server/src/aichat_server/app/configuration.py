"""Finds conflicts between a server's settings that need its models and vendors."""

from __future__ import annotations

from collections.abc import Iterator

from aichat_server.app.catalogue import build_catalogue
from aichat_server.app.vendors import build_upstream_policy
from aichat_server.settings import Fault, Settings, SettingsError


def find_faults(settings: Settings) -> Iterator[Fault]:
    """Yields, for `load_settings`, everything that `serve` would refuse, without connecting to anything."""
    try:
        catalogue = build_catalogue(settings)
    except SettingsError as error:
        yield Fault(("AICHAT_MODELS", "AICHAT_OPENAI_COMPATIBLE"), str(error))
        return
    try:
        build_upstream_policy(settings, catalogue)
    except SettingsError as error:
        yield Fault(("AICHAT_FALLBACKS", "AICHAT_MODELS", "AICHAT_OPENAI_COMPATIBLE"), str(error))
