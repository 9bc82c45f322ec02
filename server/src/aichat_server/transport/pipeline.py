"""The only interceptor: the same frame and steps around every handler, unary and streaming."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import grpc
import structlog
from grpc.aio import AbortError, ServerInterceptor

from aichat_server.core.errors import AichatError
from aichat_server.transport.access import ForeignApi, MethodAccess
from aichat_server.transport.access_log import logged
from aichat_server.transport.bodies import receive_body
from aichat_server.transport.call import REQUEST_ID_KEY, Call, Context, Metadata, Step
from aichat_server.transport.drain import Drain
from aichat_server.transport.errors import DETAILS_KEY, STATUS_CODES, internal_error, to_status
from aichat_server.transport.foreign import ForeignErrors, ForeignReply, set_reply
from aichat_server.transport.observing import CallObserver
from aichat_server.transport.options import MAX_REQUEST_BYTES
from aichat_server.transport.reading import RequestReader
from aichat_server.transport.room import Room
from aichat_server.transport.shapes import Behaviour, Handler, behaviour_of, decoder_of, with_behaviour
from aichat_server.transport.sse import MARK, EventStream
from aichat_server.transport.unknown import unknown_rpc

_log = structlog.get_logger()

# With these headers the edge asks whether a caller is known, and gets the answer. A status would not do: whether it
# arrives in the headers or in the trailers depends on timing.
_ASKED = "x-aichat-is-known"
_KNOWN = ("x-aichat-known", "yes")
_UNSURE = ("x-aichat-known", "unsure")


_Events: TypeAlias = EventStream | ForeignReply | None


class CallInterceptor(ServerInterceptor):
    """Logs, admits, checks and answers calls. RPCs without an entry in `access`, such as health, pass unchanged.

    Handlers of streams are async generators.
    """

    def __init__(
        self,
        access: Mapping[str, MethodAccess],
        drain: Drain,
        steps: Sequence[Step],
        check_request: Callable[[object], None],
        observer: CallObserver,
        foreign_errors: Mapping[ForeignApi, ForeignErrors] = MappingProxyType({}),
    ) -> None:
        """`check_request` gets every request message and raises AichatError for an invalid one.

        `foreign_errors` write the failures of services that have the form of another company's API.
        """
        self._access = access
        self._drain = drain
        self._steps = (drain.admit, *steps)
        self._check_request = check_request
        self._observer = observer
        self._foreign_errors = foreign_errors
        self._room = Room()
        self._wrapped: dict[str, Handler] = {}
        self._unknown = unknown_rpc()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Returns the method's handler inside the frame, which is built once; a refusal if there is no such RPC."""
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is not None:
            return wrapped
        handler = await continuation(handler_call_details)
        access = self._access.get(method)
        if handler is None:
            return self._unknown
        if access is None:
            return handler
        wrapped = self._wrapped[method] = self._wrap(method, access, handler)
        return wrapped

    def _wrap(self, method: str, access: MethodAccess, handler: Handler) -> Handler:
        behaviour = behaviour_of(handler)
        answer = _stream if handler.response_streaming else _respond
        reader = RequestReader(access, decoder_of(handler), self._check_request, self._room)
        # gRPC would hold the bytes of a request that it reads itself until the end of the call.
        reads = handler.request_streaming or access.max_request_bytes > MAX_REQUEST_BYTES

        async def respond(raw: Any, context: Context, call: Call, events: _Events) -> Any:
            if handler.request_streaming:
                with self._room.growing() as taken:
                    return await answer(behaviour, reader.each(context, taken), context, events)
            request = await reader.only(context) if reads else reader.read(raw)
            await receive_body(request, call, self._room)
            return await answer(behaviour, request, context, events)

        async def serve(raw: Any, context: Context) -> Any:
            call = Call(method, access, cast("Metadata", context.invocation_metadata() or ()), context.peer())
            # In the trailers, since separate headers would cost each call another operation.
            context.set_trailing_metadata(((REQUEST_ID_KEY, call.request_id),))
            events = self._events(call, context) if handler.response_streaming else None
            with self._drain.counted(), self._observer.call(call), logged(call):
                try:
                    # Nothing of the request is read before the caller is identified.
                    if await self._admit(call, context):
                        call.code = grpc.StatusCode.OK
                        return None
                    response = await respond(raw, context, call, events)
                except AbortError:
                    raise
                except BaseException as cause:  # the one place where a fault becomes an answer
                    if not isinstance(cause, Exception) and not _is_stray(cause):
                        raise
                    await _fail(call, context, events, cause)
                    return None
                call.code = grpc.StatusCode.OK
                return response

        return with_behaviour(handler, serve, reads=reads)

    async def _admit(self, call: Call, context: Context) -> bool:
        """Takes the call through all steps. Returns whether that was all that was asked."""
        for step in self._steps:
            await step(call)
        if not call.values(_ASKED):
            return False
        await context.send_initial_metadata((_KNOWN,))
        # Of the contract's own RPCs none takes the empty request, which is sent to ask this; of others one may.
        return call.access.foreign_api is not None

    def _events(self, call: Call, context: Context) -> _Events:
        """Returns what writes a stream for HTTP clients; None if the caller speaks gRPC."""
        access = call.access
        if access.foreign_api is not None and access.response is not None:
            errors = self._foreign_errors[access.foreign_api]
            reply = ForeignReply(context, call.request_id, access.response, errors)
            set_reply(reply)
            return reply
        return EventStream(context) if call.values(MARK) else None


def _is_stray(cause: BaseException) -> bool:
    """Whether something that the call waited for was cancelled, but not the call itself: gRPC would answer nothing."""
    task = asyncio.current_task()
    return isinstance(cause, asyncio.CancelledError) and task is not None and not task.cancelling()


async def _respond(behaviour: Behaviour, request: object, context: Context, _: _Events) -> object:
    return await behaviour(request, context)


async def _stream(behaviour: Behaviour, request: object, context: Context, events: _Events) -> None:
    write = context.write if events is None else events.write
    async with aclosing(behaviour(request, context)) as responses:
        async for response in responses:
            await write(response)
    if isinstance(events, EventStream):
        await events.finish()


async def _fail(call: Call, context: Context, events: _Events, cause: BaseException) -> None:
    if isinstance(cause, AichatError):
        error = cause
    else:
        _log.error("call failed", method=call.method, exc_info=cause)
        error = internal_error(call.request_id)
    if call.when_failed is not None:
        try:
            await call.when_failed(error)
        except AichatError as refused:
            error = refused
    call.reason, call.code = error.reason, STATUS_CODES[error.reason]
    if call.code is grpc.StatusCode.UNAVAILABLE and call.values(_ASKED):
        await context.send_initial_metadata((_UNSURE,))
    if call.code is grpc.StatusCode.UNAVAILABLE and error.__cause__ is not None:
        # The caller learns that something is unreachable; operators must learn why.
        _log.warning("call failed", method=call.method, reason=call.reason, cause=repr(error.__cause__))
    if isinstance(events, ForeignReply) and not call.values(_ASKED):
        await events.fail(error)
    else:
        await _abort(call, context, events, error)


async def _abort(call: Call, context: Context, events: _Events, error: AichatError) -> None:
    status = to_status(error)
    if isinstance(events, EventStream):
        await events.fail(status)
    details = status.SerializeToString()
    trailers: list[tuple[str, str | bytes]] = [(DETAILS_KEY, details), (REQUEST_ID_KEY, call.request_id)]
    if error.retry_after is not None:
        # HTTP's equivalent of RetryInfo; the edge turns trailers without a message before them into headers.
        trailers.append(("retry-after", str(math.ceil(error.retry_after))))
    await context.abort(STATUS_CODES[error.reason], error.message, tuple(trailers))
