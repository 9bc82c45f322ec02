"""The domain's values reach the wire as the contract defines them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from aichat.v1 import messages_pb2
from aichat_server.content.parts import Role, TextPart
from aichat_server.conversations.domain import Conversation, Message, MessageState
from aichat_server.conversations.rpc.asked import parts_from_proto
from aichat_server.conversations.rpc.messages import (
    ROLES,
    STATES,
    STOP_REASONS,
    conversation_to_proto,
    message_to_proto,
)
from aichat_server.conversations.rpc.models import model_to_proto
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.generations.domain.generation import Answer, GenerationState
from aichat_server.models.domain.models import Model, ModelAbilities
from aichat_server.models.domain.pricing import PriceTier
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import StopReason
from aichat_server.transport.values import money_to_proto
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 22, 20, 0, 0, 123456, UTC)


@given(st.integers(-(10**18), 10**18))
def test_money_loses_nothing(nano: int) -> None:
    money = money_to_proto(NanoUsd(nano))
    assert money.units * 1_000_000_000 + money.nanos == nano
    assert money.currency_code == "USD"
    assert abs(money.nanos) < 1_000_000_000
    assert money.units * money.nanos >= 0


USAGE = Usage(1, 2, 3, 4, 5, estimated=True, cache_write_1h=6, web_searches=7)


def test_every_value_has_one_of_the_contract() -> None:
    assert set(ROLES) == set(Role)
    assert set(STATES) == set(MessageState)
    assert set(STOP_REASONS) == set(StopReason)
    for table, enum in (
        (ROLES, messages_pb2.Role),
        (STATES, messages_pb2.MessageState),
        (STOP_REASONS, messages_pb2.StopReason),
    ):
        assert sorted(table.values()) == sorted(value for value in enum.values() if value)


def message(answer: Answer | None, parent: UUID | None) -> Message:
    role = Role.ASSISTANT if answer else Role.USER
    ids = (uuid4(), uuid4(), parent, uuid4(), uuid4())
    return Message(*ids, role, (TextPart("a"), TextPart("b")), MessageState.COMPLETE, NOW, answer)


def test_an_answer_carries_what_only_answers_have() -> None:
    state, cost = GenerationState.COMPLETE, NanoUsd(1_500_000_000)
    answer = Answer(uuid4(), "gpt-x", (TextPart("a"),), state, StopReason.MAX_TOKENS, USAGE, cost)
    stored = message(answer, uuid4())
    proto = message_to_proto(stored)
    assert (proto.message_id, proto.parent_message_id) == (str(stored.message_id), str(stored.parent_message_id))
    assert (proto.generation_id, proto.model) == (str(answer.generation_id), "gpt-x")
    assert (proto.role, proto.stop_reason) == (messages_pb2.ROLE_ASSISTANT, messages_pb2.STOP_REASON_MAX_TOKENS)
    assert (proto.cost.units, proto.cost.nanos) == (1, 500_000_000)
    assert proto.usage == messages_pb2.Usage(
        input_tokens=1, cache_read_tokens=2, cache_write_tokens=3, output_tokens=4, reasoning_tokens=5, estimated=True,
        cache_write_1h_tokens=6, web_searches=7,
    )  # fmt: skip
    assert proto.create_time.ToDatetime(tzinfo=UTC) == NOW
    assert parts_from_proto(proto.parts) == stored.parts


def test_a_users_message_lacks_it() -> None:
    proto = message_to_proto(message(None, None))
    assert not proto.HasField("usage")
    assert not proto.HasField("cost")
    assert (proto.generation_id, proto.model, proto.parent_message_id, proto.stop_reason) == ("", "", "", 0)


def test_a_conversation_without_an_answer_has_no_head() -> None:
    stored = Conversation(uuid4(), uuid4(), uuid4(), "title", NOW, NOW, None)
    proto = conversation_to_proto(stored)
    assert (proto.title, proto.head_message_id) == ("title", "")
    assert (proto.organization_id, proto.member_id) == (str(stored.org_id), str(stored.member_id))


def test_a_model_carries_prices_and_abilities() -> None:
    nano = (3_000_000_000, 300_000_000, 0, 4_000_000_000, 15_500_000_000, 10_000_000)
    tier = PriceTier(200_000, *map(NanoUsd, nano))
    abilities = ModelAbilities(reasoning=True, temperature=False, stop=True)
    proto = model_to_proto(Model("m", "anthropic", "m-1", "M", 1_000_000, 64_000, (tier,), abilities))
    price = proto.prices[0]
    assert (price.above_tokens, price.input.units, price.cache_read.nanos) == (200_000, 3, 300_000_000)
    assert (price.output.units, price.output.nanos) == (15, 500_000_000)
    assert (price.cache_write_1h.units, price.web_search.nanos) == (4, 10_000_000)
    assert (proto.abilities.reasoning, proto.abilities.temperature, proto.abilities.stop) == (True, False, True)
    assert (proto.model, proto.provider, proto.context_window) == ("m", "anthropic", 1_000_000)


TEXT = messages_pb2.Part(text=messages_pb2.TextPart(text="x" * 2**20))
RESULT = messages_pb2.Part(
    tool_result=messages_pb2.ToolResultPart(call_id="a", parts=[messages_pb2.ResultPart(text=TEXT.text)])
)


@pytest.mark.parametrize(
    ("parts", "field"),
    [([TEXT] * 5, "parts"), ([RESULT] * 3 + [TEXT] * 2, "parts"), ([RESULT, TEXT, RESULT], "parts[2]")],
    ids=["texts", "results and texts", "a result behind a text"],
)
def test_a_message_is_bounded_and_its_results_come_first(parts: list[messages_pb2.Part], field: str) -> None:
    assert len(parts_from_proto([RESULT, RESULT, TEXT])) == 3
    with pytest.raises(AichatError) as caught:
        parts_from_proto(parts)
    assert caught.value.reason is Reason.REQUEST_INVALID
    assert [violation.field for violation in caught.value.violations] == [field]
