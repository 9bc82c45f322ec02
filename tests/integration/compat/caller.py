"""A caller of the three APIs, by gRPC."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import grpc
from aichat.v1 import anthropic_pb2, openai_pb2
from aichat.v1.anthropic_pb2_grpc import AnthropicServiceStub
from aichat.v1.openai_pb2_grpc import OpenAIServiceStub
from google.api.httpbody_pb2 import HttpBody

from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.integration.compat.streams import written


@dataclass
class Reply:
    """What a call got."""

    headers: dict[str, str] = field(default_factory=dict)
    data: bytes = b""

    @property
    def json(self) -> Any:
        """The whole body."""
        return json.loads(self.data)


@dataclass
class Caller:
    """Calls the three APIs."""

    server: ServerUnderTest
    key: ApiKey

    async def call(self, api: str, body: object, **headers: str) -> Reply:
        """Returns the response to a body, which may be bytes already."""
        reply, called = Reply(), self.begin(api, body, **headers)
        async for piece in called:
            reply.data += piece.piece.data
        reply.headers = {name: str(value) for name, value in await called.initial_metadata() or ()}
        return reply

    def begin(self, api: str, body: object, **headers: str) -> Any:
        """Returns the call itself."""
        data = body if isinstance(body, bytes) else written(body)
        sent = HttpBody(content_type="application/json", data=data)
        headers = {"anthropic_version": "2023-06-01", **headers}
        metadata = (*self.key.metadata, *((name.replace("_", "-"), value) for name, value in headers.items()))
        channel: grpc.aio.Channel = self.server.channel
        anthropic, openai = AnthropicServiceStub(channel), OpenAIServiceStub(channel)
        match api:
            case "messages":
                return anthropic.CreateMessage(anthropic_pb2.CreateMessageRequest(body=sent), metadata=metadata)
            case "count":
                counting = anthropic_pb2.CountMessageTokensRequest(body=sent)
                return anthropic.CountMessageTokens(counting, metadata=metadata)
            case "chat":
                return openai.CreateChatCompletion(openai_pb2.CreateChatCompletionRequest(body=sent), metadata=metadata)
            case _:
                return openai.CreateResponse(openai_pb2.CreateResponseRequest(body=sent), metadata=metadata)
