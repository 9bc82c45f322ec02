"""The loop from a vendor's bytes to events: one await for each piece from the network."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping
from functools import partial
from typing import Self

import aiohttp

from aichat_server.core.errors import AichatError
from aichat_server.providers.domain.events import ProviderEvent
from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.domain.verbatim import SentRequest, VendorApi, VendorRefusalError
from aichat_server.providers.gateway import failures
from aichat_server.providers.gateway.answer import AnswerReader
from aichat_server.providers.gateway.base import BaseAIProvider, ProviderConfig
from aichat_server.providers.gateway.body import FileBody, encoded
from aichat_server.providers.gateway.heads import RequestHeads
from aichat_server.providers.gateway.sent_answers import SentReader, refused
from aichat_server.providers.gateway.sent_bodies import counted_body, sent_body
from aichat_server.providers.gateway.sse import BrokenStreamError
from aichat_server.providers.gateway.tick import Tick
from aichat_server.providers.gateway.transport import NO_OTHERS, Body, FindHead, OtherHeaders, PreparedPost, Transport

# How long the end of a body may lag behind the end of its answer if the connection is to be kept; and how long more may
# arrive before that, since some vendors send a second message.
_LAG_SECONDS = 0.25
_MORE_SECONDS = 5.0
# Of what is not streamed.
_LONGEST_ANSWER_BYTES = 64 * 1024


class RawStreamProvider(BaseAIProvider):
    """A vendor that gets JSON over our own transport, as its SDK would send it, and whose answer is read as bytes."""

    def __init__(self, config: ProviderConfig, tick: Tick, transport: Transport | None = None) -> None:
        """`tick`: when to read an answer that has begun; `transport`: the connections, None for its own ones."""
        super().__init__(config)
        self._transport = transport or Transport(connect_seconds=config.connect_seconds)
        self._tick = tick
        self._is_own = not config.openai_compatible
        self._heads = RequestHeads()
        self._stall_seconds = config.stall_seconds
        self._reasoning_stall_seconds = config.reasoning_stall_seconds

    @abstractmethod
    async def _ask_sdk(self, model: str) -> None:
        """Has the SDK send any request that streams an answer of `model`, with the client of `_heads`."""

    @abstractmethod
    def _body(self, request: ProviderRequest) -> Mapping[str, object]:
        """Returns the body of the request."""

    @abstractmethod
    def _reader(self, request: ProviderRequest) -> AnswerReader:
        """Returns the reader of the answer."""

    def prepare(self, model: str, *, reasons: bool, api: VendorApi | None = None) -> PreparedPost:  # noqa: ARG002
        """See BaseAIProvider.prepare."""
        find_head = partial(self._heads.get, model, self._ask_sdk)
        return self._transport.prepare(find_head, stall_seconds=self._stall(reasons))

    async def stream(
        self, request: ProviderRequest, prepared: PreparedPost | None = None
    ) -> AsyncGenerator[ProviderEvent, None]:
        """See BaseAIProvider.stream."""
        sent = request.prompt.sent
        reader = self._reader(request) if sent is None else SentReader(self._reader(request), sent)
        stall = self._stall(request.reasons)
        post = prepared or self.prepare(request.model, reasons=request.reasons)
        try:
            async with post.send(*await self._asked(request)) as body:
                reader.begun = True
                with _Pieces(body, reader, stall, self._tick) as pieces:
                    while chunk := await pieces.next():
                        for event in reader.read(chunk):
                            yield event
                for event in reader.finish():
                    yield event
        except (AichatError, *failures.VENDOR_ERRORS) as error:
            if reader.used:
                yield reader.report()
            if isinstance(error, AichatError):
                raise
            failure = failures.from_exception(error, self.name, request.model, begun=reader.begun)
            for refusal in refused(error, failure, sent):
                yield refusal
            raise failure from error
        finally:
            post.close()

    async def _asked(self, request: ProviderRequest) -> tuple[bytes | FileBody, OtherHeaders]:
        """Returns the body of a request, and the headers that differ from those of all."""
        sent = request.prompt.sent
        if sent is None:
            return await encoded(self._body(request), request.prompt.files), self._headers(request)
        return sent_body(sent, request, is_own=self._is_own), self._sent_headers(sent)

    def _headers(self, request: ProviderRequest) -> OtherHeaders:  # noqa: ARG002
        """Returns the headers of a request that differ from those of all."""
        return NO_OTHERS

    def _sent_headers(self, sent: SentRequest) -> OtherHeaders:
        """Returns the headers of a request that goes as it was sent."""
        return sent.headers

    async def _ask(self, find_head: FindHead, body: object, request: ProviderRequest) -> bytes:
        """Returns the vendor's answer to a request that it does not stream.

        Raises AichatError with a PROVIDER_ reason, and what reading the files of `request` raises.
        """
        return await self._fetch(find_head, await encoded(body, request.prompt.files), request.model)

    async def _count_as_sent(self, find_head: FindHead, sent: SentRequest, model: str) -> bytes:
        """See BaseAIProvider.count_as_sent."""
        try:
            return await self._fetch(find_head, counted_body(sent, model), model, headers=self._sent_headers(sent))
        except AichatError as failure:
            for refusal in refused(failure.__cause__, failure, sent):
                raise VendorRefusalError(refusal.status, refusal.data) from failure
            raise

    async def _fetch(
        self,
        find_head: FindHead,
        body: bytes | FileBody,
        model: str,
        *,
        most_bytes: int = _LONGEST_ANSWER_BYTES,
        headers: OtherHeaders = NO_OTHERS,
    ) -> bytes:
        """Returns the vendor's answer to a body, of at most `most_bytes`. Raises as `_ask`."""
        post = self._transport.prepare(find_head, stall_seconds=self._stall_seconds)
        begun = False
        try:
            async with post.send(body, headers) as answer:
                begun = True
                content = bytearray()
                while chunk := await answer.reader.readany():
                    content += chunk
                    if len(content) > most_bytes:
                        raise BrokenStreamError(f"an answer of more than {most_bytes} bytes")
                return bytes(content)
        except failures.VENDOR_ERRORS as error:
            raise failures.from_exception(error, self.name, model, begun=begun) from error
        finally:
            post.close()

    def _stall(self, reasons: bool) -> float:
        return self._reasoning_stall_seconds if reasons else self._stall_seconds

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._transport.aclose()


class _Pieces:
    """The body of an answer, piece by piece; after the answer's end only what arrives at once.

    From the first delta on, its connection is held while the next piece is awaited, until the end of the context.
    """

    def __init__(self, body: Body, reader: AnswerReader, stall_seconds: float, tick: Tick) -> None:
        self._body = body.reader
        self._connection = body.connection
        self._tick = tick
        self._reader = reader
        self._stall_seconds = stall_seconds
        self._last: float | None = None
        self._line_since: float | None = None
        """Since when a line has been arriving without its end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    async def next(self) -> bytes:
        """Returns the next piece; empty at the end. Raises TimeoutError if one line takes longer than a silence may."""
        if not self._reader.ended:
            self._hold()
            chunk = await self._body.readany()
            self._look_for_line(chunk)
            return chunk
        self._release()
        now = asyncio.get_running_loop().time()
        self._last = self._last or now + _MORE_SECONDS
        try:
            async with asyncio.timeout(min(_LAG_SECONDS, self._last - now)):
                return await self._body.readany()
        except (TimeoutError, aiohttp.ClientError):
            return b""

    def _hold(self) -> None:
        # After the body's end, the connection may already carry another answer.
        if self._connection is not None and self._reader.speaking and not self._body.is_eof():
            self._tick.hold(self._connection)

    def _release(self) -> None:
        if self._connection is not None:
            self._tick.release(self._connection)

    def _look_for_line(self, chunk: bytes) -> None:
        """Notes how long a line takes: a vendor that sends byte by byte is never silent, and sends nothing useful."""
        if b"\n" in chunk or b"\r" in chunk:
            self._line_since = None
            return
        now = asyncio.get_running_loop().time()
        self._line_since = self._line_since or now
        if now - self._line_since > self._stall_seconds:
            raise TimeoutError
