"""Loads the parts of `make check`, so that tests can check them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load_check(name: str) -> ModuleType:
    """Returns the module `.ci/<name>.py`, which can import the others there, as when it runs."""
    spec = importlib.util.spec_from_file_location(f"{name}_check", ROOT / f".ci/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / ".ci"))
        spec.loader.exec_module(module)
    return module
