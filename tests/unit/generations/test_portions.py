"""What goes to Redis comes back as it was."""

from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import pytest
from aichat_server.content.parts import Role, TextPart
from aichat_server.conversations.domain import Answer, Message, MessageState
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.generations.domain.stream import Completed, Portion, Position, Started, UsageSoFar
from aichat_server.generations.gateway.portions import decode_portion, encode_portion
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import ReasoningDelta, StopReason, TextDelta

USAGE = Usage(1, 2, 3, 4, 5, estimated=True, cache_write_1h=6, web_searches=7)
MESSAGE = Message(
    uuid4(), uuid4(), uuid4(), uuid4(), uuid4(), Role.ASSISTANT, (TextPart("Grüße 🎉"),), MessageState.COMPLETE,
    datetime.now(UTC), Answer(uuid4(), "model", StopReason.END_TURN, USAGE, NanoUsd(6)),
)  # fmt: skip
EVENTS = (
    Started(uuid4(), uuid4(), uuid4(), uuid4(), "model", "vendor", "requested"),
    ReasoningDelta("hm"),
    TextDelta("Grüße 🎉"),
    UsageSoFar(USAGE, NanoUsd(2**60)),
    Completed(MESSAGE),
)


def test_every_kind_of_event_survives() -> None:
    portion = Portion(Position(7, ended=True), EVENTS)
    assert decode_portion(portion.position, encode_portion(portion)) == portion


def test_a_failure_survives_with_what_callers_are_told() -> None:
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
def test_what_is_no_portion_is_told_so(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_portion(Position(1, ended=False), data)
