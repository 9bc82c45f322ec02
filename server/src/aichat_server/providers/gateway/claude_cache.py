"""Where Claude's prompt cache is written, so that each turn reads all of the turn before.

A breakpoint writes one entry, for all that precedes it, and Anthropic finds an entry at most 20 blocks before a
breakpoint. So the end of the question before the last one gets a breakpoint again, exactly where the last request wrote
one, however many blocks the answer between them has. Tools and the system prompt have their own, since either may
change alone. Anthropic ignores breakpoints in prompts that are too short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MOST_BREAKPOINTS = 4
KEPT = {"type": "ephemeral"}
"""For five minutes after each use."""


def mark(
    tools: Sequence[dict[str, Any]], system: Sequence[dict[str, Any]], messages: Sequence[Mapping[str, Any]]
) -> None:
    """Sets the breakpoints: at most MOST_BREAKPOINTS."""
    asked = [message["content"] for message in messages if message["role"] == "user"]
    for blocks in (tools, system, *asked[-2:]):
        if blocks:
            blocks[-1]["cache_control"] = KEPT
