"""Faults that tests request."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

How = Literal["status", "hang", "cut", "mute"]


@dataclass(slots=True)
class Fault:
    """A fault for the next requests to a path."""

    path: str
    """A regular expression that matches the whole path."""
    how: How
    """"status": fail before doing anything; "hang": do nothing and never answer.

    "cut": do it, then close the connection; "mute": do it, and never answer.
    """
    method: str = "POST"
    times: int = 1
    status: int = 500


@dataclass(slots=True)
class Faults:
    """The faults still to come."""

    waiting: list[Fault] = field(default_factory=list)

    def add(self, told: dict[str, Any]) -> None:
        """Adds a fault; raises TypeError if its fields are wrong."""
        self.waiting.append(Fault(**told))

    def take(self, method: str, path: str) -> Fault | None:
        """Returns the first fault for this request and uses up one of its times."""
        for fault in self.waiting:
            if fault.method == method and re.fullmatch(fault.path, path):
                fault.times -= 1
                if fault.times == 0:
                    self.waiting.remove(fault)
                return fault
        return None
