"""A gRPC server with scripted answers: the SDK's outside world, encoded by Google's protobuf."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from aichat.v1 import chat_pb2, events_pb2, messages_pb2, parts_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from tests.fixtures.contract import services

API_KEY = "ak_test0123456789"
GENERATION = "generation-3"
MOST_PIECES = 40
CANCELLED = chat_pb2.CancelGenerationResponse(state=chat_pb2.GENERATION_STATE_CANCELLED)

Context = grpc.aio.ServicerContext[Any, Any]
Behaviour = Callable[[Any, Context], AsyncIterator[Message]]


@dataclass(frozen=True)
class Call:
    """A call that arrived."""

    method: str
    request: Any
    metadata: dict[str, str | bytes]
    time_remaining: float | None


class ScriptedServer:
    """Each call of a method uses that method's next behaviour."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.calls: list[Call] = []
        self.cancelled: asyncio.Queue[str] = asyncio.Queue()
        self._behaviours: dict[str, deque[Behaviour]] = defaultdict(deque)

    def on(self, method: str, *behaviours: Behaviour) -> None:
        """Makes the next calls of `method` behave in this way, in this order."""
        self._behaviours[method].extend(behaviours)

    @classmethod
    @asynccontextmanager
    async def start(cls, credentials: grpc.ServerCredentials | None = None) -> AsyncIterator[ScriptedServer]:
        scripted = cls()
        server = grpc.aio.server(options=[("grpc.max_receive_message_length", 32 << 20)])
        for service in services():
            handlers = {method.name: scripted._handler(method) for method in service.methods}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
        address = "127.0.0.1:0"
        if credentials is None:
            scripted.endpoint = f"127.0.0.1:{server.add_insecure_port(address)}"
        else:
            scripted.endpoint = f"127.0.0.1:{server.add_secure_port(address, credentials)}"
        await server.start()
        try:
            yield scripted
        finally:
            await server.stop(None)

    def _handler(self, method: Any) -> grpc.RpcMethodHandler[Any, Any]:
        request = method.input_type._concrete_class

        async def stream(message: Any, context: Context) -> AsyncIterator[Message]:
            metadata = dict(context.invocation_metadata() or ())
            self.calls.append(Call(method.name, message, metadata, context.time_remaining()))
            if not self._behaviours[method.name]:
                await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"nothing is scripted for {method.name}")
            try:
                async for response in self._behaviours[method.name].popleft()(message, context):
                    yield response
            except asyncio.CancelledError:
                self.cancelled.put_nowait(method.name)
                raise

        async def unary(message: Any, context: Context) -> Message:
            return await anext(stream(message, context))

        async def upload(messages: AsyncIterator[Any], context: Context) -> Message:
            return await unary(await _read(messages, context), context)

        wrap, behaviour = {
            (False, False): (grpc.unary_unary_rpc_method_handler, unary),
            (False, True): (grpc.unary_stream_rpc_method_handler, stream),
            (True, False): (grpc.stream_unary_rpc_method_handler, upload),
        }[method.client_streaming, method.server_streaming]
        return wrap(behaviour, request_deserializer=request.FromString, response_serializer=request.SerializeToString)


async def _read(messages: AsyncIterator[Any], context: Context) -> list[Any]:
    arrived: list[Any] = []
    async for message in messages:
        arrived.append(message)
        if len(arrived) > MOST_PIECES:
            await anext(fail(grpc.StatusCode.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE")(message, context))
    return arrived


def reply(*messages: Message) -> Behaviour:
    """Answers with these messages."""

    async def behave(_request: Any, _context: Context) -> AsyncIterator[Message]:
        for message in messages:
            yield message

    return behave


def hang(*messages: Message) -> Behaviour:
    """Answers with these messages and then stays silent."""

    async def behave(request: Any, context: Context) -> AsyncIterator[Message]:
        async for message in reply(*messages)(request, context):
            yield message
        await asyncio.Event().wait()

    return behave


def fail(
    status: grpc.StatusCode,
    reason: str = "",
    *messages: Message,
    metadata: dict[str, str] | None = None,
    retry_after: float | None = None,
    violations: dict[str, str] | None = None,
    text: str = "told by the test",
) -> Behaviour:
    """Answers with these messages, then fails as the platform would; without a reason, as a proxy would."""
    details: list[Message] = [ErrorInfo(reason=reason, domain="aichat.v1", metadata=metadata)] if reason else []
    if retry_after is not None:
        details.append(RetryInfo(retry_delay=Duration(nanos=round(retry_after % 1 * 1e9), seconds=int(retry_after))))
    if violations:
        found = [BadRequest.FieldViolation(field=field, description=what) for field, what in violations.items()]
        details.append(BadRequest(field_violations=found))
    packed = Status(code=status.value[0], message=text)
    for detail in details:
        wrapped = AnyMessage()
        wrapped.Pack(detail)
        packed.details.append(wrapped)
    # gRPC sometimes loses the metadata at the begin of a call that fails at once, never that at its end.
    trailing: tuple[tuple[str, str | bytes], ...] = (("x-request-id", "request-7"),)
    if details:
        trailing += (("grpc-status-details-bin", packed.SerializeToString()),)

    async def behave(request: Any, context: Context) -> AsyncIterator[Message]:
        await context.send_initial_metadata(())
        async for message in reply(*messages)(request, context):
            yield message
        await context.abort(status, text, trailing)

    return behave


def started() -> chat_pb2.StreamChatResponse:
    event = events_pb2.ChatStarted(
        generation_id=GENERATION, conversation_id="conversation-1", message_id="message-2", model="model-1"
    )
    return chat_pb2.StreamChatResponse(sequence=1, started=event)


def text_delta(text: str, sequence: int = 2) -> chat_pb2.StreamChatResponse:
    return chat_pb2.StreamChatResponse(sequence=sequence, text_delta=events_pb2.TextDelta(text=text))


def completed(text: str, sequence: int = 9) -> chat_pb2.StreamChatResponse:
    message = messages_pb2.Message(
        message_id="message-2",
        conversation_id="conversation-1",
        role=messages_pb2.ROLE_ASSISTANT,
        state=messages_pb2.MESSAGE_STATE_COMPLETE,
        model="model-1",
        stop_reason=messages_pb2.STOP_REASON_END_TURN,
        parts=[messages_pb2.Part(text=messages_pb2.TextPart(text=text))],
        usage=messages_pb2.Usage(input_tokens=12, output_tokens=34),
    )
    message.cost.currency_code = "USD"
    message.cost.nanos = 1_230_000
    message.create_time.FromSeconds(1_700_000_000)
    return chat_pb2.StreamChatResponse(sequence=sequence, completed=events_pb2.ChatCompleted(message=message))


def calling(*calls: tuple[str, str, str], sequence: int = 9) -> Behaviour:
    """Answers with tool calls: id, name and arguments of each."""
    message = completed("Let me see.").completed.message
    message.stop_reason = messages_pb2.STOP_REASON_TOOL_USE
    parts = [parts_pb2.ToolCallPart(call_id=one, name=name, arguments=text) for one, name, text in calls]
    message.parts.extend(messages_pb2.Part(tool_call=part) for part in parts)
    end = chat_pb2.StreamChatResponse(sequence=sequence, completed=events_pb2.ChatCompleted(message=message))
    return reply(started(), text_delta("Let me see."), end)


def answer(*pieces: str) -> Behaviour:
    """Answers a chat with these pieces."""
    deltas = [text_delta(piece, number) for number, piece in enumerate(pieces, 2)]
    return reply(started(), *deltas, completed("".join(pieces), len(pieces) + 2))
