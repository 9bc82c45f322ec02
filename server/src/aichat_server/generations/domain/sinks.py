"""A sink says where an answer goes: it is stored as a message, for example, or nothing of it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from aichat_server.core.errors import AichatError
from aichat_server.generations.domain.generation import Beginning, Begun, Ending, Known, Orphan, Place
from aichat_server.providers.domain.requests import Prompt


class Sink(Protocol):
    """Ends the generations whose answers go there, by one round trip each. Any process may end any of them."""

    @property
    def name(self) -> str:
        """What the generation's row calls it, so that the process which ends a lost answer finds it."""
        ...

    async def end(self, ending: Ending, *, orphan: bool = False) -> Known | None:
        """Keeps the answer, settles the generation and books its usage; returns the ended generation.

        A generation that has ended is not changed: it is returned as it ended before. A generation that failed without
        an answer leaves only the record of its failure, and its request id may be used again.

        `orphan`: it ends only if its lease has expired. None if it has not. Raises STORAGE_UNAVAILABLE.
        """
        ...

    async def abandon(self, beginning: Beginning, failure: AichatError) -> None:
        """Ends a generation with `failure` that may have begun, or may begin later. Only the record of that is left,
        and its request id may be used again. A generation that has ended is not changed. Raises STORAGE_UNAVAILABLE.
        """
        ...

    async def asked_tokens(self, orphan: Orphan) -> int:
        """Returns about how many tokens the model was shown. Raises STORAGE_UNAVAILABLE."""
        ...

    def error_metadata(self, place: Place) -> Mapping[str, str]:
        """Returns what the metadata of an error says about the place of its answer."""
        ...

    def not_kept(self, place: Place, *, while_written: bool = False) -> AichatError:
        """Returns the error for a caller whose answer is complete but not kept.

        `while_written`: the caller was reading it.
        """
        ...

    def not_resumable(self, known: Known) -> AichatError:
        """Returns the error for a caller that resumes an answer whose events have expired."""
        ...


class Question(Protocol):
    """What a client asks, and the sink that its answer goes to."""

    @property
    def sink(self) -> Sink:
        """Where the answer goes."""
        ...

    async def begin(self, beginning: Beginning) -> Begun:
        """Claims the request id, checks the quotas, and begins the generation, by one round trip.

        A refusal leaves nothing behind. STORAGE_UNAVAILABLE leaves open whether it has begun: abandon it.
        """
        ...

    async def prompt(self) -> Prompt:
        """Returns what the model is shown; call it after `begin`."""
        ...


class Sinks:
    """All sinks of this process, by their names."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = MappingProxyType({sink.name: sink for sink in sinks})

    def by_name(self, name: str) -> Sink:
        """Returns the sink. Raises LookupError if this process has none of this name."""
        return self._sinks[name]
