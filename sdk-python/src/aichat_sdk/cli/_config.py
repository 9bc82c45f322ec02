"""Reads the user's settings: `~/.config/aichat/config.toml`."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from aichat_sdk.errors import ConfigurationError


def chosen_model() -> str | None:
    """Returns AICHAT_MODEL, or the `model` of config.toml; None if neither names one.

    Raises ConfigurationError if the file cannot be read.
    """
    return os.environ.get("AICHAT_MODEL") or _model()


def _model() -> str | None:
    try:
        path = _path()
    except RuntimeError:  # this user has no home
        return None
    try:
        settings = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    model = settings.pop("model", None)
    if settings:
        raise ConfigurationError(f"{path} has the unknown setting {next(iter(settings))}: it takes `model`")
    if model is not None and not isinstance(model, str):
        raise ConfigurationError(f"{path}: model must be a string")
    return model


def _path() -> Path:
    folder = os.environ.get("XDG_CONFIG_HOME")
    return Path(folder or Path.home() / ".config", "aichat/config.toml")
