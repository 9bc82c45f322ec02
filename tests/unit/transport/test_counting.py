"""A request's content is counted on the wire: refusing it costs the same, however large it is."""

from __future__ import annotations

import pytest
from aichat.v1 import billing_pb2, chat_pb2, messages_pb2, options_pb2, usage_pb2
from aichat_server.core.errors import AichatError, Reason
from aichat_server.transport.counting import MOST_FIELDS, check_counts, shape_of
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

CHAT = shape_of(chat_pb2.StreamChatRequest.DESCRIPTOR)
USAGE = shape_of(usage_pb2.QueryUsageRequest.DESCRIPTOR)
WEBHOOK = shape_of(billing_pb2.StripeWebhookRequest.DESCRIPTOR)


def refused(message: Message | bytes, shape: object = CHAT) -> tuple[Reason, str]:
    raw = message if isinstance(message, bytes) else message.SerializeToString()
    with pytest.raises(AichatError) as caught:
        check_counts(raw, shape)  # type: ignore[arg-type]
    return caught.value.reason, caught.value.violations[0].field if caught.value.violations else ""


def test_what_the_contract_allows_passes() -> None:
    parts = [messages_pb2.Part(text=messages_pb2.TextPart(text="x" * 1000))] * 64
    options = options_pb2.ChatOptions(stop=["a", "b", "c", "d"], temperature=1.5, max_output_tokens=2**31 - 1)
    message = chat_pb2.StreamChatRequest(parts=parts, model="m", options=options, cancel_on_disconnect=True)
    check_counts(message.SerializeToString(), CHAT)
    check_counts(b"", CHAT)


def test_one_element_too_many_is_refused_wherever_it_is() -> None:
    assert refused(chat_pb2.StreamChatRequest(parts=[messages_pb2.Part()] * 65)) == (Reason.REQUEST_INVALID, "parts")
    stops = chat_pb2.StreamChatRequest(options=options_pb2.ChatOptions(stop=["a"] * 5))
    assert refused(stops) == (Reason.REQUEST_INVALID, "options.stop")


@pytest.mark.parametrize("raw", [b"\x2a\x06" + b"\x01" * 6, b"\x28\x01" * 6, b"\x2a\x0c" + b"\x81\x00" * 6])
def test_elements_are_counted_packed_or_not(raw: bytes) -> None:
    assert refused(raw, USAGE) == (Reason.REQUEST_INVALID, "group_by")


def test_a_list_without_a_limit_must_be_empty() -> None:
    webhook = billing_pb2.StripeWebhookRequest()
    webhook.event.extensions.append(Any())
    assert refused(webhook, WEBHOOK) == (Reason.REQUEST_INVALID, "event.extensions")


@pytest.mark.parametrize("field", [b"\x32\x00", b"\xa2\x06\x00"], ids=["the same field", "an unknown field"])
def test_fields_are_counted_in_all(field: bytes) -> None:
    check_counts(field * MOST_FIELDS, CHAT)
    assert refused(field * (MOST_FIELDS + 1))[0] is Reason.REQUEST_INVALID


@pytest.mark.parametrize(
    "raw",
    [b"\x22", b"\x22\x05\x00", b"\xff" * 11, b"\x23" + b"\x22\x00" * 100 + b"\x24", b"\x22\x02\x0a\x05", b"\x0d\x00"],
    ids=["no length", "cut", "no tag", "group", "cut within", "cut number"],
)
def test_what_cannot_be_counted_is_no_message(raw: bytes) -> None:
    assert refused(raw) == (Reason.REQUEST_MALFORMED, "")
