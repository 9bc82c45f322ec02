"""Invalid requests: some written down, some generated."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from aichat.v1 import chat_pb2, messages_pb2, options_pb2
from hypothesis import strategies as st

from tests.integration.conversations.asking import MODEL, asking

Request = chat_pb2.StreamChatRequest
Options = options_pb2.ChatOptions
NUL = "a\0b"
NO_UUID = ("nonsense", "123", "00000000-0000-0000-0000-00000000000g", str(uuid4())[:-1], "{" + str(uuid4()) + "}", "é")
CHAT = "/aichat.v1.ChatService/StreamChat"
# By method: bytes that are not a message of that method.
NO_MESSAGES = [
    (f"/aichat.v1.{service}/{method}", raw)
    for service, methods in {
        "ChatService": ("StreamChat", "ResumeChat", "CancelGeneration"),
        "ConversationService": ("CreateConversation", "GetConversation", "UpdateConversation", "DeleteConversation"),
    }.items()
    for method in methods
    for raw in (b"\xff", b"\x0a\xff", b"\x0a\x02\xc3\x28", b"\x0f\x0f", b"\x0a\x7fshort", bytes(range(256)))
]


def _with(**fields: Any) -> Request:
    request = asking("Hello")
    request.MergeFrom(Request(**fields))
    return request


def _option(**fields: Any) -> Request:
    return _with(options=Options(**fields))


def _parts(*texts: str) -> Request:
    return Request(model=MODEL, parts=[messages_pb2.Part(text=messages_pb2.TextPart(text=text)) for text in texts])


def _model(model: str) -> Request:
    return asking("Hello", model=model)


REQUESTS: tuple[Request, ...] = (
    Request(),
    Request(model=MODEL),
    Request(model=MODEL, parts=[messages_pb2.Part()]),
    _parts(""),
    _parts(NUL),
    _parts(*["x"] * 65),
    _parts("x" * (4 << 20)),
    *(_model(model) for model in ("", "no-such-model", "-x", "a b", "x" * 129, "gpt\n", "ü", "../../etc/passwd")),
    *(_with(request_id=word) for word in NO_UUID),
    *(_with(conversation_id=word) for word in (*NO_UUID, str(uuid4()))),
    *(_with(conversation_id=str(uuid4()), parent_message_id=word) for word in (*NO_UUID, str(uuid4()))),
    _with(parent_message_id=str(uuid4())),
    *(_option(max_output_tokens=count) for count in (0, -1, -(2**31), 2**31 - 1)),
    *(_option(temperature=heat) for heat in (-0.1, 2.1, float("nan"), float("inf"), float("-inf"))),
    *(_option(stop=stop) for stop in ([""], ["a"] * 5, ["x" * 257], [NUL], ["ok", ""])),
    _option(system_prompt=NUL),
    _option(system_prompt="x" * (256 * 1024 + 1)),
    *(_option(reasoning_effort=effort) for effort in (99, -1)),
)

_GOOD = {"model": MODEL, "parts": [{"text": {"text": "Hello"}}]}
_CHANGES: tuple[dict[str, Any], ...] = (
    {"model": 7}, {"model": None}, {"model": ["gpt"]}, {"parts": {}}, {"parts": "Hello"}, {"parts": []},
    {"parts": [{"text": "Hello"}]}, {"parts": [{"text": {"text": 1}}]}, {"parts": [{"image": {}}]},
    {"options": 5}, {"options": {"temperature": "hot"}}, {"options": {"max_output_tokens": 1.5}},
    {"options": {"max_output_tokens": 2**40}}, {"options": {"temperature": 1e400}},
    {"options": {"reasoning_effort": "MUCH"}}, {"request_id": 1}, {"request_id": "x"},
    {"cancel_on_disconnect": "perhaps"}, {"conversation_id": {}}, {"parent_message_id": str(uuid4())},
)  # fmt: skip
BODIES: tuple[bytes, ...] = (
    b"",
    b"null",
    b"[]",
    b"{",
    b'{"model": ',
    b"\xff\xfe",
    b'{"model": "a"} {"model": "b"}',
    b'{"model": "gpt-6-luna", "parts": [{"text": {"text": "a\\ud800b"}}]}',
    b"[" * 10_000,
    b'{"parts": ' * 5_000,
    *(json.dumps(_GOOD | change).encode() for change in _CHANGES),
)

_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
_not_uuids = _texts.filter(lambda text: text != "" and len(text) != 36)
_breaks: st.SearchStrategy[Callable[[Request], object]] = st.one_of(
    st.just(lambda request: request.ClearField("parts")),
    st.integers(65, 90).map(lambda n: lambda request: request.parts.extend([request.parts[0]] * n)),
    st.just(lambda request: request.parts.add()),
    _not_uuids.map(lambda text: lambda request: setattr(request, "request_id", text)),
    _not_uuids.map(lambda text: lambda request: setattr(request, "conversation_id", text)),
    st.uuids().map(lambda some: lambda request: setattr(request, "conversation_id", str(some))),
    st.uuids().map(lambda some: lambda request: setattr(request, "parent_message_id", str(some))),
    _texts.map(lambda text: lambda request: setattr(request, "model", "?" + text)),
    st.from_regex(r"\A[a-z][a-z0-9-]{0,60}\Z").map(lambda name: lambda request: setattr(request, "model", "x/" + name)),
    st.integers(-(2**31), 0).map(lambda n: lambda request: setattr(request.options, "max_output_tokens", n)),
    st.integers(200_000, 2**31 - 1).map(lambda n: lambda request: setattr(request.options, "max_output_tokens", n)),
    st.floats().filter(lambda x: not 0 <= x <= 2).map(lambda x: lambda r: setattr(r.options, "temperature", x)),
    st.lists(_texts, min_size=5, max_size=9).map(lambda texts: lambda request: request.options.stop.extend(texts)),
    _texts.map(lambda text: lambda request: request.options.stop.append(text + "\0")),
    _texts.map(lambda text: lambda request: setattr(request.options, "system_prompt", "\0" + text)),
    st.integers(5, 2**31 - 1).map(lambda n: lambda request: setattr(request.options, "reasoning_effort", n)),
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Generates a message that is valid except for one field, or truncated, or random bytes."""
    request = asking(draw(_texts) + "x", cancel_on_disconnect=draw(st.booleans()))
    request.options.system_prompt = draw(_texts)
    draw(_breaks)(request)
    raw = request.SerializeToString()
    kind = draw(st.integers(0, 3))
    # Field 4, a part, with a length beyond the end of the message.
    return raw + b"\x22\x7f" if kind == 0 else draw(st.binary(max_size=60)) if kind == 1 else raw


_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers(-(2**70), 2**70) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
_names = st.sampled_from(["parts", "model", "options", "request_id", "conversation_id", "nonsense", "requestId"])
_cuts = st.integers(1, 30)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Generates a JSON body that names no model, is truncated, or is not JSON."""
    kind = draw(st.integers(0, 2))
    if kind == 0:
        return draw(st.binary(max_size=60))
    value = draw(st.dictionaries(_names, _values, max_size=4) | _values)
    if isinstance(value, dict):
        # Without a model no vendor is called, whatever else the body holds.
        value = {key: inner for key, inner in value.items() if key != "model"}
    raw = json.dumps(value).encode()
    return raw[: -draw(_cuts)] if kind == 2 else raw
