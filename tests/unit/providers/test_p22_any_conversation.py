"""Promise 22: the stand-ins of all vendors accept every conversation, with parts of any kind by any vendor."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any, NamedTuple
from unittest.mock import Mock

import pytest
from aichat_sandbox.vendors.anthropic import Anthropic
from aichat_sandbox.vendors.gemini import Gemini
from aichat_sandbox.vendors.openai import OpenAI
from aichat_sandbox.vendors.openai_responses import OpenAIResponses
from aichat_sandbox.vendors.protocol import Vendor
from aichat_server.content.parts import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Link,
    PartKind,
    ProviderItem,
    ReasoningPart,
    Role,
    Signature,
    StoredFile,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.providers.domain.requests import (
    ChatOptions,
    PathMessage,
    Prompt,
    ProviderRequest,
    ReasoningEffort,
    ResponseFormat,
    Tool,
    ToolChoice,
    ToolChoiceMode,
    WebSearch,
)
from aichat_server.providers.gateway import (
    chat_completions_request,
    claude_request,
    gemini_request,
    responses_request,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.parts import IMAGE, PDF, SOUND
from tests.unit.providers.reading import whole

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108020000009077")
TEXT = StoredFile("12" * 32, "text/plain", 5)
CONTENT = {"image/png": PNG, "application/pdf": b"%PDF-1.4", "audio/wav": b"RIFF", "text/plain": b"Hello"}
SEEN = frozenset({PartKind.TEXT, PartKind.IMAGE, PartKind.DOCUMENT})
SCHEMA = '{"type": "object", "properties": {"at": {"type": "string"}}}'


class Files:
    """Files of every kind."""

    async def read(self, file: StoredFile) -> AsyncIterator[bytes]:
        yield CONTENT[file.media_type]


class Spoken(NamedTuple):
    """A vendor's protocol."""

    standin: Callable[[], Vendor]
    path: str
    model: str
    body: Callable[[ProviderRequest], Mapping[str, Any]]
    reads: frozenset[PartKind] = SEEN


SPOKEN = {
    "claude": Spoken(
        Anthropic, "/anthropic/v1/messages", "claude-opus-5-5",
        lambda r: claude_request.answering(r, "v"),
    ),
    "responses": Spoken(
        OpenAIResponses, "/openai/v1/responses", "gpt-6-luna",
        lambda r: responses_request.params(r, "v", summaries=True),
    ),
    **{
        f"completions, compatible: {compatible}": Spoken(
            OpenAI, "/openai/v1/chat/completions", "gpt-4.1",
            partial(chat_completions_request.params, provider="v", compatible=compatible),
        )
        for compatible in (False, True)
    },
    **{
        model: Spoken(Gemini, "/x:streamGenerateContent", model, lambda r: gemini_request.body(r, "v"),
                      frozenset(PartKind))
        for model in ("gemini-3.8-flash", "gemini-2.5-pro")
    },
}  # fmt: skip

TEXTS = st.sampled_from(["", " ", "\n", "Hi", "Grüezi 🎉", "\u2028"])
FOREIGN = st.sampled_from([None, Signature("elsewhere", "secret"), Signature("elsewhere", "secret", "text")])
IDS = st.sampled_from(["c1", "c2", "functions.look:0", "x" * 80, ""])
SHOWN = st.one_of(
    st.builds(TextPart, TEXTS),
    st.sampled_from([ImagePart(IMAGE), ImagePart(Link("https://example.com/a.png"))]),
    st.sampled_from([DocumentPart(PDF, "A"), DocumentPart(TEXT), DocumentPart(Link("https://example.com/a.pdf"), " ")]),
)
RESULTS = st.builds(ToolResultPart, IDS, st.lists(SHOWN, max_size=2).map(tuple), st.booleans())
CALLS = st.builds(
    ToolCallPart, IDS, st.sampled_from(["look", "functions.look", "9", "ü" * 99]),
    st.sampled_from(["{}", "", '{"at": 1e3}', "[1]", '{"at": ', '"\\ud800"']), FOREIGN,
)  # fmt: skip
USERS = st.lists(st.one_of(RESULTS, SHOWN, st.just(AudioPart(SOUND))), max_size=4)
MODELS = st.lists(
    st.one_of(
        st.builds(TextPart, TEXTS, signature=FOREIGN),
        st.builds(ReasoningPart, TEXTS, FOREIGN),
        CALLS,
        st.just(ProviderItem("elsewhere", "search", '{"secret": 1}')),
    ),
    max_size=4,
)
MESSAGES = st.lists(
    st.one_of(
        USERS.map(lambda parts: PathMessage(Role.USER, tuple(parts))),
        MODELS.map(lambda parts: PathMessage(Role.ASSISTANT, tuple(parts))),
        # A loop, whose ids are often right.
        CALLS.map(lambda call: PathMessage(Role.ASSISTANT, (call,))),
        st.builds(lambda call_id: PathMessage(Role.USER, (ToolResultPart(call_id),)), IDS),
    ),
    max_size=8,
)
LOOK = Tool("look", "Looks.", SCHEMA)
CHOICES = [None, *(ToolChoice(mode, "look" if mode is ToolChoiceMode.ONE else "") for mode in ToolChoiceMode)]
OPTIONS = st.one_of(
    st.builds(ChatOptions, reasoning_effort=st.sampled_from([None, *ReasoningEffort])),
    st.builds(ChatOptions, tools=st.just((LOOK,)), tool_choice=st.sampled_from(CHOICES)),
    st.builds(ChatOptions, web_search=st.just(WebSearch())),
    st.builds(ChatOptions, response_format=st.just(ResponseFormat(SCHEMA))),
)


@pytest.mark.parametrize("spoken", SPOKEN)
@settings(max_examples=40, deadline=None)
@given(messages=MESSAGES, options=OPTIONS)
def test_no_vendor_refuses_it(spoken: str, messages: list[PathMessage], options: ChatOptions) -> None:
    standin, path, model, write, reads = SPOKEN[spoken]
    if model == "gpt-4.1" and options.reasoning_effort is not None:
        options = ChatOptions()
    asked = (*messages, PathMessage(Role.USER, (TextPart("And now?"),)))
    request = ProviderRequest(model, Prompt(asked, Files()), 5000, options, reasons=spoken == "responses", reads=reads)
    body = json.loads(asyncio.run(whole(write(request), Files())))
    called = Mock(path=path, query={"alt": "sse"}, match_info={"model": model}, headers={})
    assert standin().asked(called, body).model == model
    assert "And now?" in json.dumps(body)
    assert "secret" not in json.dumps(body)
