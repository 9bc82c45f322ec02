"""Values that go through Redis come back unchanged."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import pytest
from aichat_server.content.parts import Role, TextPart, text_of
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.generations.domain.generation import Answer, GenerationState
from aichat_server.generations.domain.shown import shown
from aichat_server.generations.domain.stream import Completed, Portion, Position, Started, StreamEvent, UsageSoFar
from aichat_server.generations.gateway.portions import decode_portion, encode_portion
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import ReasoningDelta, Sent, SentKind, StopReason, TextDelta
from aichat_server.providers.domain.requests import LeftOut

from tests.fixtures.parts import ANSWERED

USAGE = Usage(1, 2, 3, 4, 5, estimated=True, cache_write_1h=6, web_searches=7)
ANSWER = Answer(
    uuid4(), "model", (TextPart("Grüße 🎉"),), GenerationState.COMPLETE, StopReason.END_TURN, USAGE, NanoUsd(6)
)  # fmt: skip
CREATED = datetime(2026, 11, 26, 12, 0, 0, 123456, UTC)
IDS = {name: str(uuid4()) for name in ("conversation_id", "user_message_id", "message_id")}
KEPT = {
    **{name: str(uuid4()) for name in ("message_id", "conversation_id", "parent_message_id", "org_id", "member_id")},
    "role": "assistant",
    "created_at": CREATED.isoformat(),
}
EVENTS = (
    Started(uuid4(), "model", "vendor", "requested", IDS),
    ReasoningDelta("hm"),
    TextDelta("Grüße 🎉"),
    UsageSoFar(USAGE, NanoUsd(2**60)),
    Completed(ANSWER, KEPT),
)
WHOLE = Completed(replace(ANSWER, parts=ANSWERED), KEPT)
NEW_EVENTS = (
    Sent(b"data: {}\n\n"),
    Sent(b"{}", SentKind.REFUSAL, 400),
    Started(uuid4(), "model", "vendor", "requested", IDS, LeftOut(1, 2, summarized=True, tokens=3)),
    *shown(ANSWERED),
    WHOLE,
)


class OldStarted(msgspec.Struct):
    """The beginning of a stream, as servers of the version before know it."""

    generation_id: UUID
    conversation_id: UUID
    user_message_id: UUID
    message_id: UUID
    model: str
    provider: str
    requested_model: str


class OldAnswer(msgspec.Struct):
    """What only a model's message has."""

    generation_id: UUID
    model: str
    stop_reason: StopReason | None
    usage: Usage
    cost: int


class OldText(msgspec.Struct, tag_field="type", tag="text"):
    """A piece of text."""

    text: str


class OldMessage(msgspec.Struct):
    """A stored message."""

    message_id: UUID
    conversation_id: UUID
    parent_message_id: UUID | None
    org_id: UUID
    member_id: UUID
    role: str
    parts: list[OldText]
    state: str
    created_at: datetime
    answer: OldAnswer | None = None


OLD_ANSWER = OldAnswer(ANSWER.generation_id, "model", StopReason.END_TURN, USAGE, 6)
OLD_MESSAGE = OldMessage(
    message_id=UUID(KEPT["message_id"]),
    conversation_id=UUID(KEPT["conversation_id"]),
    parent_message_id=UUID(KEPT["parent_message_id"]),
    org_id=UUID(KEPT["org_id"]),
    member_id=UUID(KEPT["member_id"]),
    role="assistant",
    parts=[OldText("Grüße 🎉")],
    state="complete",
    created_at=CREATED,
    answer=OLD_ANSWER,
)
OLD_STARTED = OldStarted(
    generation_id=EVENTS[0].generation_id,
    conversation_id=UUID(IDS["conversation_id"]),
    user_message_id=UUID(IDS["user_message_id"]),
    message_id=UUID(IDS["message_id"]),
    model="model",
    provider="vendor",
    requested_model="requested",
)


def test_a_server_of_the_version_before_reads_what_this_one_writes() -> None:
    data = encode_portion(Portion(Position(2, ended=True), (EVENTS[0], EVENTS[-1])))
    (_, started), (_, completed) = msgspec.msgpack.decode(data)[0]
    assert msgspec.convert(started, OldStarted) == OLD_STARTED
    assert msgspec.convert(completed["message"], OldMessage) == OLD_MESSAGE


def test_what_a_server_of_the_version_before_has_written_is_read() -> None:
    data = msgspec.msgpack.encode([[["s", OLD_STARTED], ["c", {"message": OLD_MESSAGE}]], None])
    assert decode_portion(Position(2, ended=True), data).events == (EVENTS[0], EVENTS[-1])


def test_a_part_of_an_unknown_kind_is_not_taken_for_text() -> None:
    message = {**msgspec.to_builtins(OLD_MESSAGE), "parts": [{"type": "unknown", "text": "?"}]}
    data = msgspec.msgpack.encode([[["c", {"message": message}]], None])
    with pytest.raises(msgspec.DecodeError):
        decode_portion(Position(1, ended=True), data)


def test_a_server_of_the_version_before_reads_the_text_of_an_answer_with_other_parts() -> None:
    data = encode_portion(Portion(Position(1, ended=True), (WHOLE,)))
    ((_, completed),) = msgspec.msgpack.decode(data)[0]
    text = text_of(ANSWERED, Role.ASSISTANT)
    assert msgspec.convert(completed["message"], OldMessage).parts == [OldText(text)]


@pytest.mark.parametrize("events", [EVENTS, NEW_EVENTS])
def test_every_kind_of_event_survives(events: tuple[StreamEvent, ...]) -> None:
    portion = Portion(Position(7, ended=True), events)
    assert decode_portion(portion.position, encode_portion(portion)) == portion


def test_a_failure_survives_with_its_public_message() -> None:
    failure = AichatError(Reason.PROVIDER_RATE_LIMITED, "slow down", metadata={"provider": "x"}, retry_after=2.5)
    position = Position(0, ended=True)
    read = decode_portion(position, encode_portion(Portion(position, (), failure))).failure
    assert read is not None
    assert (read.reason, read.message, read.metadata, read.retry_after) == (
        failure.reason, failure.message, failure.metadata, failure.retry_after,
    )  # fmt: skip


def test_a_piece_of_text_takes_little_more_than_itself() -> None:
    assert len(encode_portion(Portion(Position(1, ended=False), (TextDelta("x" * 20),)))) < 30


@pytest.mark.parametrize("data", [b"", b"\xc0", b"\x92\x91\x92\xa1zz\xc0"])
def test_an_invalid_portion_is_reported(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_portion(Position(1, ended=False), data)
