"""Resumes an answer's stream after a broken connection, so that its reader sees one unbroken stream."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aichat_sdk._encoding import encode
from aichat_sdk._methods import RESUME_CHAT
from aichat_sdk._observing import log_retry
from aichat_sdk._proto.aichat.v1 import ResumeChatRequest
from aichat_sdk._retry import Deadline, delay_before_retry
from aichat_sdk._transport import Reader, Transport
from aichat_sdk.errors import AIChatError, ClosedError, UnavailableError
from aichat_sdk.types import ChatEvent

# A broken answer gets more retries than a call, because the server is still writing it.
_TRIES_PER_RETRY = 3


class ResumingReader:
    """Reads the events of one answer, one at a time, each exactly once."""

    def __init__(
        self,
        transport: Transport,
        generation_id: str,
        sequence: int,
        deadline: Deadline,
        reader: Reader[ChatEvent] | None = None,
    ) -> None:
        """`reader` reads the events after number `sequence`; without it, the first read makes a ResumeChat call."""
        self.generation_id = generation_id
        self._transport = transport
        self._sequence = sequence
        self._deadline = deadline
        self._reader = reader
        self._tried = 0
        self._cancelled = asyncio.Event()

    async def read(self) -> ChatEvent | None:
        """Returns the next event, or None after the last.

        Raises the last failure when several retries in a row fail.
        """
        while True:
            try:
                event = await self._open().read()
            except AIChatError as error:
                delay = self._delay(error)
                if delay is None:
                    raise
                log_retry(error, delay)
                self._drop()
                self._tried += 1
                await self._pause(delay)
                continue
            if event is not None and event.sequence > self._sequence:
                self._sequence, self._tried = event.sequence, 0
            return event

    def cancel(self) -> None:
        """Ends the call, if one is open, and allows no other."""
        self._cancelled.set()
        self._drop()

    def abandon(self) -> None:
        """Ends the call, if one is open; may be called in any thread."""
        if self._reader is not None:
            self._reader.abandon()

    async def _pause(self, seconds: float) -> None:
        """Waits, at most until the stream is closed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._cancelled.wait()

    def _drop(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def _open(self) -> Reader[ChatEvent]:
        if self._cancelled.is_set():
            raise ClosedError("the stream was closed while it was read")
        if self._reader is None:
            request = ResumeChatRequest(generation_id=self.generation_id, after_sequence=self._sequence)
            self._reader = self._transport.open_stream(RESUME_CHAT, encode(request), self._deadline)
        return self._reader

    def _delay(self, error: AIChatError) -> float | None:
        """Returns the seconds to wait before a retry; None if a retry cannot help or the retries are used up."""
        if not _is_of_the_way(error) or self._tried >= _TRIES_PER_RETRY * self._transport.settings.max_retries:
            return None
        delay, remaining = delay_before_retry(error, self._tried), self._deadline.remaining()
        return None if delay is None or (remaining is not None and delay >= remaining) else delay


def _is_of_the_way(error: AIChatError) -> bool:
    """Whether the connection to the answer failed, and not the answer itself."""
    if error.reason == "SERVER_DRAINING":
        # With a delay, the replica is shutting down; without one, the answer ended with the replica.
        return error.retry_after is not None
    if error.reason == "SERVER_LOST":
        return False
    # The platform's own failures have a reason: a status without one comes from a proxy or the network.
    broken = error.reason is None and error.status == "UNKNOWN"
    return broken or isinstance(error, UnavailableError)
