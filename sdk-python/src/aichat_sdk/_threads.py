"""Runs functions of callers, which may wait, in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


async def in_thread(function: Callable[..., ResultT], **arguments: Any) -> ResultT:
    """Returns what the function returns in a thread; raises what it raises, and RuntimeError for StopIteration.

    No future holds a StopIteration: before Python 3.12 its caller would wait forever.
    """

    def call() -> ResultT:
        try:
            return function(**arguments)
        except StopIteration as error:
            raise RuntimeError("the function raised StopIteration") from error

    return await asyncio.to_thread(call)
