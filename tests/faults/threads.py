"""Lets a thread of Hypothesis's, which knows no event loop, wait for what runs in the tests' own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

T = TypeVar("T")


def waiting() -> Callable[[Coroutine[None, None, T]], T]:
    """For other threads: runs a coroutine in this event loop, and waits for what comes of it."""
    loop = asyncio.get_running_loop()
    return lambda work: asyncio.run_coroutine_threadsafe(work, loop).result()
