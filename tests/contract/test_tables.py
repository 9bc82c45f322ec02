"""Every table from a domain's words to the contract's has all of them: a new word cannot fail first in production."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from enum import Enum

import aichat_server
import pytest
from aichat_server.generations.domain.generation import GenerationState
from aichat_server.invoices.domain.invoices import InvoiceStage

# Cancel returns how an answer ended; an invoice of a month that was only closed has no lines, so it cannot be proven.
NEVER_SENT = {GenerationState.RUNNING, InvoiceStage.CLOSED}


def tables() -> Iterator[tuple[str, Mapping[Enum, object]]]:
    """Every table of an rpc room or of transport whose keys are the domain's."""
    for found in pkgutil.walk_packages(aichat_server.__path__, f"{aichat_server.__name__}."):
        if ".rpc" not in found.name and ".transport" not in found.name:
            continue
        if ".compat." in found.name:
            # What other companies' APIs have no word for, they tell by the contract's status.
            continue
        for name, value in vars(importlib.import_module(found.name)).items():
            if isinstance(value, Mapping) and value and all(isinstance(key, Enum) for key in value):
                yield f"{found.name}.{name}", value


TABLES = dict(tables())


def test_there_are_tables() -> None:
    assert len(TABLES) > 5


@pytest.mark.parametrize("name", TABLES)
def test_it_has_every_word(name: str) -> None:
    keys = set(TABLES[name])
    assert keys == set(type(next(iter(keys)))) - NEVER_SENT
