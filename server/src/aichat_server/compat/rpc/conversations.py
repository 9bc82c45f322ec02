"""Tells the conversation that a turn is kept in."""

from __future__ import annotations

from contextlib import aclosing

from aichat_server.compat.domain.keeping import CONVERSATION, Keep
from aichat_server.generations.domain.stream import Started
from aichat_server.generations.service.journal import Events
from aichat_server.transport.foreign import current_reply


def telling(events: Events, keep: Keep | None) -> Events:
    """Returns the events. The response's header names the conversation, if the turn is kept in one."""
    return events if keep is None else _telling(events)


async def _telling(events: Events) -> Events:
    async with aclosing(events):
        async for event in events:
            if isinstance(event[1], Started) and (kept := event[1].place.get("conversation_id")) is not None:
                current_reply().headers[CONVERSATION] = kept
            yield event
