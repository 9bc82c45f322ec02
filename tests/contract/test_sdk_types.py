"""What type checkers see of the SDK: mypy reads these functions, and nothing runs them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import assert_type

from aichat_sdk import AIChat, AsyncAIChat, ChatStream, Page, TypedAnswer, cost_usd
from aichat_sdk import sync as blocking
from aichat_sdk.types import ChatEvent, Conversation, GenerationState, Message, Model


@dataclass
class Place:
    name: str


def script(client: AIChat) -> None:
    message = client.chat.send(model="m", text="Hi")
    assert_type(message, Message)
    assert_type(cost_usd(message), Decimal | None)
    assert_type(client.chat.send(model="m", text="Hi", output_type=Place), TypedAnswer[Place])
    stream = client.chat.stream(model="m", text="Hi", output_type=Place)
    assert_type(stream, blocking.ChatStream[Place])
    with stream as entered:
        assert_type(entered, blocking.ChatStream[Place])
        assert_type(entered.get_final_output(), Place)
    assert_type(next(stream), ChatEvent)
    assert_type([text for text in stream.text_stream], list[str])  # noqa: C416
    with client.chat.run_tools(model="m", text="Hi", tools=[script], output_type=Place) as run:
        assert_type(run, blocking.ToolRun[Place])
    assert_type(client.chat.cancel("g"), GenerationState)
    assert_type(client.models.list(), list[Model])
    assert_type(client.conversations.list().page(), Page[Conversation])
    assert_type([one for one in client.conversations.list()], list[Conversation])  # noqa: C416
    client.chat.send(model="m", text=5)  # type: ignore[call-overload]
    client.chat.stream(model="m", text="Hi", colour="red")  # type: ignore[call-arg]
    with AIChat() as closed:
        assert_type(closed, AIChat)


async def program(client: AsyncAIChat) -> None:
    assert_type(client.chat.stream(model="m", text="Hi", output_type=Place), ChatStream[Place])
    assert_type(await client.chat.send(model="m", text="Hi"), Message)
    assert_type(await client.conversations.list(), Page[Conversation])
    assert_type(await (await client.chat.stream(model="m", text="Hi").open()).get_final_message(), Message)
