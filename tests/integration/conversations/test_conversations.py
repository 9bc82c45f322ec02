"""ConversationService with a real server and real Postgres."""

from __future__ import annotations

from uuid import UUID, uuid4

import grpc
import pytest
from aichat.v1 import conversations_pb2 as pb
from aichat_server.content.parts import TextPart
from aichat_server.core.database.database import Database
from aichat_server.core.errors import Reason
from aichat_server.core.ids import new_id
from aichat_server.core.money import NanoUsd
from aichat_server.identity.service.organizations import MintedKey, Organizations
from aichat_server.models.domain.pricing import Hold
from google.rpc.error_details_pb2 import BadRequest

from tests.fixtures.rpc import Client, Headers, Refusal, bearer, refusal
from tests.integration.conversations.turns import Asked, Turns


@pytest.fixture
def mine(key: MintedKey) -> Headers:
    return bearer(key.api_key)


async def begin(client: Client, headers: Headers, title: str = "") -> pb.Conversation:
    response = await client.conversations.CreateConversation(
        pb.CreateConversationRequest(title=title), metadata=headers
    )
    return response.conversation


async def test_a_conversation_is_kept_renamed_and_deleted(client: Client, mine: Headers) -> None:
    made = await begin(client, mine, "Plans")
    stub, name = client.conversations, made.conversation_id
    got = await stub.GetConversation(pb.GetConversationRequest(conversation_id=name), metadata=mine)
    assert got.conversation == made
    same = await stub.UpdateConversation(pb.UpdateConversationRequest(conversation_id=name), metadata=mine)
    assert same.conversation == made
    change = pb.UpdateConversationRequest(conversation_id=name, title="")
    renamed = await stub.UpdateConversation(change, metadata=mine)
    assert renamed.conversation.title == ""
    await stub.DeleteConversation(pb.DeleteConversationRequest(conversation_id=name), metadata=mine)
    assert (await refused(client, "GetConversation", name, mine)).reason is Reason.CONVERSATION_NOT_FOUND


async def test_pages_follow_each_other_without_gap_or_repeat(client: Client, mine: Headers) -> None:
    made = [(await begin(client, mine)).conversation_id for _ in range(7)]
    seen: list[str] = []
    token = ""
    while True:
        request = pb.ListConversationsRequest(page_size=3, page_token=token)
        page = await client.conversations.ListConversations(request, metadata=mine)
        seen += [conversation.conversation_id for conversation in page.conversations]
        assert len(page.conversations) <= 3
        token = page.next_page_token
        if not token:
            break
    assert seen == made[::-1]


async def test_a_page_token_is_good_for_its_own_list_only(client: Client, mine: Headers) -> None:
    first, second = await begin(client, mine), await begin(client, mine)
    request = pb.ListConversationsRequest(page_size=1)
    token = (await client.conversations.ListConversations(request, metadata=mine)).next_page_token
    assert token
    for conversation in (first, second):
        wrong = pb.ListMessagesRequest(conversation_id=conversation.conversation_id, page_token=token)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.conversations.ListMessages(wrong, metadata=mine)
        assert refusal(caught.value).reason is Reason.PAGE_TOKEN_INVALID


@pytest.mark.parametrize("method", ["GetConversation", "UpdateConversation", "DeleteConversation", "ListMessages"])
async def test_foreign_and_unknown_conversations_get_the_same_answer(
    client: Client, database: Database, mine: Headers, method: str
) -> None:
    other = bearer((await Organizations(database).mint_key(f"another of {method}")).api_key)
    foreign, unknown = (await begin(client, other)).conversation_id, str(uuid4())
    answers = []
    for name in (foreign, unknown):
        answer = await refused(client, method, name, mine)
        assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, Reason.CONVERSATION_NOT_FOUND)
        assert answer.metadata == {"conversation_id": name}
        answers.append(answer.status.SerializeToString().replace(name.encode(), b"<id>"))
    assert answers[0] == answers[1]
    kept = await client.conversations.GetConversation(
        pb.GetConversationRequest(conversation_id=foreign), metadata=other
    )
    assert kept.conversation.conversation_id == foreign


async def test_bad_fields_are_named(client: Client, mine: Headers) -> None:
    answer = await refused(client, "GetConversation", "not-an-id", mine)
    bad = BadRequest()
    assert answer.status.details[1].Unpack(bad)
    assert (answer.reason, bad.field_violations[0].field) == (Reason.REQUEST_INVALID, "conversation_id")


async def test_invalid_text_is_refused_and_leaves_nothing(client: Client, mine: Headers) -> None:
    create = raw_create(client)
    lone_surrogate = b"\x0a\x03\xed\xa0\x80"
    for raw in (lone_surrogate, b"\x0a\x02\xff\xff", b"\x0a\x03a\x00b", b"\xff\xff\xff"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await create(raw, metadata=mine)
        assert refusal(caught.value).code is grpc.StatusCode.INVALID_ARGUMENT
    page = await client.conversations.ListConversations(pb.ListConversationsRequest(), metadata=mine)
    assert not page.conversations


async def test_too_large_a_request_is_refused(client: Client, mine: Headers) -> None:
    create = raw_create(client)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await create(b"\0" * (64 * 1024 + 1), metadata=mine)
    answer = refusal(caught.value)
    assert (answer.code, answer.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.REQUEST_TOO_LARGE)
    assert answer.metadata == {"limit_bytes": "65536"}
    # A request without a possible typed error is still refused, and the server keeps running.
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await create(b"\0" * (16 * 1024 * 1024), metadata=mine)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await begin(client, mine)


async def test_a_page_of_long_messages_ends_before_clients_refuse_it(
    client: Client, database: Database, key: MintedKey
) -> None:
    name = uuid4()
    sent = [await say(database, key, name, f"{number}" * 1_200_000, first=number == 0) for number in range(5)]
    seen: list[str] = []
    token = ""
    while True:
        request = pb.ListMessagesRequest(conversation_id=str(name), page_token=token)
        page = await client.conversations.ListMessages(request, metadata=bearer(key.api_key))
        assert page.ByteSize() <= 4 * 1024 * 1024
        seen += [message.message_id for message in page.messages]
        token = page.next_page_token
        if not token:
            break
    assert seen == sent


async def say(database: Database, key: MintedKey, conversation_id: UUID, text: str, *, first: bool) -> str:
    """Stores a user's message; returns its id."""
    turn = Asked(
        org_id=key.org_id,
        member_id=key.member_id,
        key_id=key.key_id,
        request_id=None,
        fingerprint=b"",
        conversation_id=conversation_id,
        new_conversation=first,
        title="",
        parent_message_id=None,
        user_message_id=new_id(),
        message_id=new_id(),
        generation_id=new_id(),
        model="m",
        provider="p",
        parts=(TextPart(text),),
        options={},
        hold=Hold(NanoUsd(0), NanoUsd(0), None),
    )
    return str((await Turns(database).begin(turn)).user_message_id)


async def refused(client: Client, method: str, name: str, headers: Headers) -> Refusal:
    request = getattr(pb, f"{method}Request")(conversation_id=name)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(client.conversations, method)(request, metadata=headers)
    return refusal(caught.value)


def raw_create(client: Client) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
    """CreateConversation with bytes that need not be a message."""
    return client.channel.unary_unary("/aichat.v1.ConversationService/CreateConversation")
