"""Work that goes on beside all else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import NoReturn


@asynccontextmanager
async def running(*works: Coroutine[None, None, NoReturn]) -> AsyncGenerator[None, None]:
    """Lets work run beside all else, and cancels it at the end."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
