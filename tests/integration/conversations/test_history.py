"""History of long messages: pages end early without omitting anything."""

from aichat.v1 import conversations_pb2

from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.integration.conversations.asking import ask, script, started_of

LONG = "x" * 1_000_000
CLIENTS_TAKE = 4 * 1024 * 1024


async def test_a_page_of_long_messages_ends_before_it_outgrows_what_clients_take(
    server: ServerUnderTest, api_key: ApiKey
) -> None:
    events = await ask(server, api_key, script(deltas=["a"]) + LONG)
    conversation = started_of(events).conversation_id
    for n in range(3):
        await ask(server, api_key, script(deltas=[str(n)]) + LONG, conversation_id=conversation)
    request, sizes, listed = conversations_pb2.ListMessagesRequest(conversation_id=conversation), [], []
    while True:
        page = await server.conversations.ListMessages(request, metadata=api_key.metadata)
        sizes.append(page.ByteSize())
        listed += [message.message_id for message in page.messages]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert len(sizes) == 2
    assert max(sizes) < CLIENTS_TAKE
    assert len(listed) == len(set(listed)) == 8
