"""Puts the tool calls of a completion together, whose servers number and name them in many ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from aichat_server.providers.domain.events import ProviderEvent

if TYPE_CHECKING:
    from aichat_server.providers.gateway.answer import AnswerReader


@dataclass(slots=True)
class _Call:
    index: object
    told_id: str
    """Empty if the server gives none."""
    call_id: str
    arguments: str = ""
    ended: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether its arguments are JSON."""
        try:
            msgspec.json.decode(self.arguments)
        except msgspec.DecodeError:
            return False
        return True


class Calls:
    """The tool calls of one answer, in their order."""

    def __init__(self, reader: AnswerReader) -> None:
        """`reader`: makes the events."""
        self._reader = reader
        self._calls: list[_Call] = []
        self._ids: set[str] = set()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._calls)

    def take(self, told: object) -> tuple[ProviderEvent, ...]:
        """Returns the events of one element of `tool_calls`: a whole call, or a piece of one."""
        function = told.get("function") if isinstance(told, dict) else None
        if not isinstance(told, dict) or not isinstance(function, dict):
            return ()
        name, told_id = _string(function.get("name")), _string(told.get("id"))
        call = self._known(told.get("index"), told_id, name)
        begun: tuple[ProviderEvent, ...] = ()
        if call is None:
            if not name:
                return ()
            call = self._begun(told.get("index"), told_id)
            begun = self._reader.call_begins(call.call_id, name)
        text = _arguments(function.get("arguments"))
        call.arguments += text
        return begun + self._reader.call_arguments(call.call_id, text)

    def close(self, *, cut_off: bool) -> Iterator[ProviderEvent]:
        """Yields the ends of the calls; `cut_off`: the last one is not whole."""
        for call in self._calls[:-1] if cut_off else self._calls:
            if not call.ended:
                call.ended = True
                yield from self._reader.call_ends(call.call_id)

    def _known(self, index: object, told_id: str, name: str) -> _Call | None:
        """Returns the call that a piece continues; None if it begins another.

        Some servers leave out index or id, some repeat id or name in each piece, and some number all calls 0.
        """
        for call in reversed(self._calls):
            has_place, has_ids = index is not None and call.index is not None, bool(told_id and call.told_id)
            if (has_place and index != call.index) or (has_ids and told_id != call.told_id):
                continue
            if has_ids or not name or (has_place and not call.is_whole):
                return call
        return None

    def _begun(self, index: object, told_id: str) -> _Call:
        own = told_id if told_id and told_id not in self._ids else f"call_{uuid4().hex}"
        self._ids.add(own)
        self._calls.append(call := _Call(index, told_id, own))
        return call


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _arguments(told: Any) -> str:
    """Returns arguments as text: a few servers send the object itself."""
    if isinstance(told, str) or told is None:
        return told or ""
    return msgspec.json.encode(told).decode()
