"""Promise 20: during a rolling restart, servers of the version before read the streams of this one."""

from __future__ import annotations

import msgspec
from aichat_server.content.parts import text_of
from aichat_server.conversations.service.message_sink import MessageSink
from aichat_server.conversations.storage.turns import TurnStore
from aichat_server.core.database.database import Database
from aichat_server.generations.domain.stored import HoldTerms
from aichat_server.generations.domain.stream import Completed, Portion, Position
from aichat_server.generations.gateway.portions import encode_portion
from aichat_server.identity.domain.principals import Principal

from tests.integration.conversations.turns import Turns, completed, turn
from tests.unit.generations.test_portions import OldMessage


async def test_the_end_of_a_stream_holds_the_whole_stored_message(database: Database, principal: Principal) -> None:
    begun = await Turns(database).begin(turn(principal))
    known = await MessageSink(TurnStore(database, HoldTerms())).end(completed(principal, begun, "Hi"))
    assert known is not None
    assert known.answer is not None
    data = encode_portion(Portion(Position(1, ended=True), (Completed(known.answer, known.place),)))
    message = msgspec.convert(msgspec.msgpack.decode(data)[0][0][1]["message"], OldMessage)
    ids = (message.message_id, message.conversation_id, message.parent_message_id, message.org_id, message.member_id)
    asked = (begun.message_id, begun.conversation_id, begun.user_message_id, principal.org_id, principal.member_id)
    assert ids == asked
    assert (message.role, message.state, message.parts[0].text) == (
        "assistant",
        "complete",
        text_of(known.answer.parts),
    )
    assert message.answer is not None
    assert message.answer.generation_id == begun.generation_id
