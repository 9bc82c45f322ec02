"""API keys: one for good, or tokens that are renewed."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Awaitable, Callable

from aichat_sdk._threads import in_thread
from aichat_sdk.errors import ConfigurationError

_KEY = re.compile(r"[!-~]{1,8192}")

ApiKey = str | Callable[[], str | Awaitable[str]]
"""An API key, or a function that returns the one to use now."""


class Keys:
    """Returns the key for each call."""

    def __init__(self, api_key: ApiKey | None) -> None:
        """Takes AICHAT_API_KEY for None; raises ConfigurationError, without the key, if it cannot be one."""
        self._ask = api_key if callable(api_key) else None
        self._key = "" if callable(api_key) else checked_key(api_key or os.environ.get("AICHAT_API_KEY") or "")

    @property
    def renewed(self) -> bool:
        """Whether the next call may get another key."""
        return self._ask is not None

    async def current(self) -> str:
        """Returns the key of the next call. A function that is not asynchronous runs in a thread, since it may wait."""
        if self._ask is None:
            return self._key
        given = self._ask() if inspect.iscoroutinefunction(self._ask) else await in_thread(self._ask)
        return checked_key(await given if inspect.isawaitable(given) else given)


def checked_key(api_key: object) -> str:
    """Returns the key without white space around it; raises ConfigurationError, without the key, if it is none."""
    if not isinstance(api_key, str):
        raise ConfigurationError(f"api_key must be str, or a function that returns str, not {type(api_key).__name__}")
    key = api_key.strip()
    if not key:
        raise ConfigurationError("no API key: pass api_key=… or set AICHAT_API_KEY")
    if not _KEY.fullmatch(key):
        raise ConfigurationError("the API key is too long, or holds invalid characters: copy it again")
    return key
