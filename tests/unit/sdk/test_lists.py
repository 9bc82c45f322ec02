"""Models, conversations and messages; lists that come in pages."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
import pytest
from aichat.v1 import chat_pb2, conversations_pb2, messages_pb2, models_pb2
from aichat_sdk import AsyncAIChat, NotFoundError, Page, ServerError
from aichat_sdk.types import Role, money_usd

from tests.unit.sdk.scripted import Behaviour, ScriptedServer, fail, reply


def page(titles: Sequence[str], next_page_token: str = "") -> Behaviour:
    conversations = [conversations_pb2.Conversation(title=title) for title in titles]
    return reply(
        conversations_pb2.ListConversationsResponse(conversations=conversations, next_page_token=next_page_token)
    )


async def test_awaiting_a_list_gives_one_page(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("ListConversations", page(["a", "b"], "token-2"))
    one = await client.conversations.list(page_size=2, page_token="token-1")
    assert isinstance(one, Page)
    assert [conversation.title for conversation in one.items] == ["a", "b"]
    assert one.next_page_token == "token-2"
    (call,) = server.calls
    assert (call.request.page_size, call.request.page_token) == (2, "token-1")


async def test_iterating_over_a_list_gives_the_items_of_all_pages(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("ListConversations", page(["a", "b"], "token-2"), page([], "token-3"), page(["c"]))
    titles = [conversation.title async for conversation in client.conversations.list(page_size=2)]
    assert titles == ["a", "b", "c"]
    assert [call.request.page_token for call in server.calls] == ["", "token-2", "token-3"]
    assert {call.request.page_size for call in server.calls} == {2}


async def test_pages_are_fetched_when_they_are_reached(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("ListConversations", page(["a"], "token-2"), fail(grpc.StatusCode.INTERNAL, "INTERNAL"))
    async for one in client.conversations.list().pages():
        assert [conversation.title for conversation in one.items] == ["a"]
        break
    assert len(server.calls) == 1
    with pytest.raises(ServerError):
        await client.conversations.list(page_token="token-2")


async def test_messages_of_a_conversation(server: ScriptedServer, client: AsyncAIChat) -> None:
    user = messages_pb2.Message(message_id="m1", role=messages_pb2.ROLE_USER)
    model = messages_pb2.Message(message_id="m2", role=messages_pb2.ROLE_ASSISTANT)
    server.on(
        "ListMessages",
        reply(conversations_pb2.ListMessagesResponse(messages=[user], next_page_token="more")),
        reply(conversations_pb2.ListMessagesResponse(messages=[model])),
    )
    roles = [message.role async for message in client.conversations.list_messages("conversation-1")]
    assert roles == [Role.USER, Role.ASSISTANT]
    assert {call.request.conversation_id for call in server.calls} == {"conversation-1"}


async def test_conversation_from_beginning_to_end(server: ScriptedServer, client: AsyncAIChat) -> None:
    stored = conversations_pb2.Conversation(conversation_id="c1", title="New")
    stored.update_time.FromSeconds(1_700_000_000)
    server.on("CreateConversation", reply(conversations_pb2.CreateConversationResponse(conversation=stored)))
    server.on("UpdateConversation", reply(conversations_pb2.UpdateConversationResponse(conversation=stored)))
    server.on("DeleteConversation", reply(conversations_pb2.DeleteConversationResponse()))
    server.on("GetConversation", fail(grpc.StatusCode.NOT_FOUND, "CONVERSATION_NOT_FOUND"))
    created = await client.conversations.create(title="New")
    assert created.update_time is not None
    assert created.update_time.timestamp() == 1_700_000_000
    await client.conversations.update("c1", title="")
    await client.conversations.delete("c1")
    with pytest.raises(NotFoundError):
        await client.conversations.get("c1")
    create, update, delete, get = (call.request for call in server.calls)
    assert create.title == "New"
    assert update.HasField("title"), "an empty title is a change too"
    assert delete.conversation_id == get.conversation_id == "c1"


async def test_models_with_exact_prices(server: ScriptedServer, client: AsyncAIChat) -> None:
    model = models_pb2.Model(model="m", provider="p", prices=[models_pb2.ModelPrice(above_tokens=0)])
    model.prices[0].input.units, model.prices[0].input.nanos = 3, 1
    server.on("ListModels", reply(chat_pb2.ListModelsResponse(models=[model])))
    (listed,) = await client.models.list()
    assert listed.prices[0].input is not None
    assert str(money_usd(listed.prices[0].input)) == "3.000000001"
