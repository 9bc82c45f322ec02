"""What goes wrong on request."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

How = Literal["status", "hang", "cut", "mute"]


@dataclass(slots=True)
class Fault:
    """One way to go wrong, for the next requests to an address."""

    path: str
    """A regular expression that matches the whole of it."""
    how: How
    """"status": fail before anything is done; "hang": do nothing and never answer; "cut": do it, and hang up;
    "mute": do it, and never answer.
    """
    method: str = "POST"
    times: int = 1
    status: int = 500


@dataclass(slots=True)
class Faults:
    """Those that have yet to happen."""

    waiting: list[Fault] = field(default_factory=list)

    def add(self, told: dict[str, Any]) -> None:
        """One more; TypeError if there is no such fault."""
        self.waiting.append(Fault(**told))

    def take(self, method: str, path: str) -> Fault | None:
        """The first that is meant for this request, which uses up one of its times."""
        for fault in self.waiting:
            if fault.method == method and re.fullmatch(fault.path, path):
                fault.times -= 1
                if fault.times == 0:
                    self.waiting.remove(fault)
                return fault
        return None
