"""A platform in memory, for the tests of programs that use the SDK: scripted answers, no network, no server.

`FakePlatform().client()` and `.async_client()` are the real clients, with their checks, retries and tools: only what
carries their calls is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import betterproto2

from aichat_sdk._checking import check
from aichat_sdk._memory import Memory, MemoryWire
from aichat_sdk._memory_answers import Failure, Piece, Silence, ToolCall
from aichat_sdk._proto.aichat import v1
from aichat_sdk._transport import Transport
from aichat_sdk.client import AsyncAIChat
from aichat_sdk.errors import AIChatError
from aichat_sdk.sync.client import AIChat
from aichat_sdk.types import Part

__all__ = ["SILENCE", "FakePlatform", "Sent", "ToolCall"]

SILENCE = Silence()
"""A piece of an answer: from here on nothing comes, until the answer is cancelled or its stream closed."""

_STREAMED = ("StreamChat", "ResumeChat", "DownloadFile")


@dataclass(frozen=True, slots=True)
class Sent:
    """A call that a client made."""

    rpc: str
    """The RPC's name, such as "StreamChat"."""
    request: Any
    """The contract's message, such as `StreamChatRequest`, with all its fields."""
    metadata: Mapping[str, str]
    """What went with it, the key aside."""

    @property
    def text(self) -> str:
        """The text of a chat's message; empty if it has none."""
        parts: list[Part] = getattr(self.request, "parts", [])
        return "\n\n".join(part.text.text for part in parts if part.text is not None)


class FakePlatform:
    """Answers each message with the next scripted answer, and keeps conversations and files."""

    def __init__(self) -> None:
        self._memory = Memory()

    def answer(self, *pieces: Piece) -> None:
        """Scripts the answer to the next message.

        Its pieces: texts, which arrive one by one; ToolCalls; SILENCE; and errors, which break the stream there. After
        UnavailableError and its kinds the client resumes the stream, and gets the next piece.
        """
        for number, piece in enumerate(pieces):
            if not isinstance(piece, Piece):
                raise TypeError(f"pieces[{number}] must be a str, a ToolCall, SILENCE or an AIChatError, not {piece!r}")
        self._memory.store.scripted.append(pieces)

    def fail(self, error: AIChatError) -> None:
        """Makes the next message fail before an answer begins. The client repeats it after UnavailableError."""
        if not isinstance(error, AIChatError):
            raise TypeError(f"error must be an AIChatError, not {error!r}")
        self._memory.store.scripted.append(Failure(error))

    def reply(self, rpc: str, **fields: Any) -> None:
        """Scripts the response to the next call of another RPC, such as `reply("ListPlans", plans=[Plan(plan="a")])`.

        Raises ValueError if the contract has no such RPC, and TypeError if its response has no such field or value.
        """
        if rpc in _STREAMED:
            raise ValueError(f"{rpc} takes no reply: `answer` scripts answers, and files are those that were uploaded")
        kind: type[betterproto2.Message] | None = getattr(v1, f"{rpc}Response", None)
        if kind is None:
            raise ValueError(f"the contract has no RPC {rpc}")
        response = kind(**fields)
        check(response)
        self._memory.replies.setdefault(rpc, []).append(response)

    @property
    def calls(self) -> list[Sent]:
        """Every call so far, repeated ones included."""
        return [Sent(call.rpc, call.request, dict(call.headers)) for call in self._memory.calls]

    def client(self, **options: Any) -> AIChat:
        """Returns a client of this platform, with options of `AIChat`, such as `max_retries=0`."""
        client = AIChat(**({"endpoint": "localhost:1", "api_key": "test"} | options))
        self._connect(client._inner)
        client._hold(client._inner, client._portal)
        return client

    def async_client(self, **options: Any) -> AsyncAIChat:
        """Returns a client of this platform for asyncio."""
        client = AsyncAIChat(**({"endpoint": "localhost:1", "api_key": "test"} | options))
        self._connect(client)
        return client

    def _connect(self, client: AsyncAIChat) -> None:
        client._serve(Transport(client._transport.settings, MemoryWire(self._memory)))
