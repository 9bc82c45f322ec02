"""Loads code faster."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """While it lasts, no garbage is collected.

    Loading the vendors' SDKs creates a million objects, and nearly all of them stay: collections would find nothing,
    and take a quarter of the time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
