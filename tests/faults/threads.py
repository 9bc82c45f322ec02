"""Lets a thread of Hypothesis, which has no event loop, wait for coroutines in the tests' loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

T = TypeVar("T")


def waiting() -> Callable[[Coroutine[None, None, T]], T]:
    """Returns a function for other threads: it runs a coroutine in this event loop and returns its result."""
    loop = asyncio.get_running_loop()
    return lambda work: asyncio.run_coroutine_threadsafe(work, loop).result()
