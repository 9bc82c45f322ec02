"""What Gemini is sent for each kind of part and each option."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aichat_server.content.parts import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Link,
    Part,
    ProviderItem,
    ReasoningPart,
    Role,
    Signature,
    StoredFile,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.models.domain.models import ServiceTier
from aichat_server.providers.domain.requests import (
    ChatOptions,
    PathMessage,
    Prompt,
    ProviderRequest,
    ResponseFormat,
    Tool,
    ToolChoice,
    ToolChoiceMode,
    WebSearch,
)
from aichat_server.providers.gateway import gemini_contents, gemini_request

from tests.unit.providers.reading import whole

NEW, OLD = "gemini-3.8-flash", "gemini-2.5-pro"
PNG, GIF = StoredFile("a" * 64, "image/png", 9), StoredFile("b" * 64, "image/gif", 9)
PDF, TXT = StoredFile("c" * 64, "application/pdf", 9), StoredFile("d" * 64, "text/plain", 9)
MP3 = StoredFile("e" * 64, "audio/mpeg", 9)
SCHEMA = """{"type": "object", "properties": {"a": {"$ref": "#/$defs/A", "default": 1}},
            "$defs": {"A": {"type": "integer"}}}"""
CLEAN = {
    "type": "object",
    "properties": {"a": {"$ref": "#/$defs/A"}},
    "$defs": {"A": {"type": "integer"}},
}


def mark(data: str, kind: str = "", provider: str = "gemini") -> Signature:
    return Signature(provider, data, kind)


class Files:
    """Files whose content is the first digit of their hash."""

    async def read(self, file: StoredFile) -> AsyncIterator[bytes]:
        yield file.sha256[0].encode()


def in_base64(digit: str) -> str:
    return base64.b64encode(digit.encode()).decode()


def body(*turns: tuple[Part, ...], model: str = NEW, **options: Any) -> dict[str, Any]:
    """Returns the body for messages of user and model in turn."""
    messages = tuple(PathMessage((Role.USER, Role.ASSISTANT)[n % 2], parts) for n, parts in enumerate(turns))
    request = ProviderRequest(model, Prompt(messages), 100, ChatOptions(**options))

    made: dict[str, Any] = json.loads(asyncio.run(whole(gemini_request.body(request, "gemini"), Files())))
    return made


def parts(*turns: tuple[Part, ...], model: str = NEW, **options: Any) -> list[Any]:
    """Returns the parts of the last message."""
    shown: list[Any] = body(*turns, model=model, **options)["contents"][-1]["parts"]
    return shown


HI = (TextPart("Hi"),)
LOOP = (HI, (ToolCallPart("c1", "look", '{"at": 1.0}', mark("s1")), ToolCallPart("c2", "look", "{")))
SEEN = (TextPart("A cat."), ImagePart(PNG))


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        (TextPart("Hi"), [{"text": "Hi"}]),
        (ImagePart(PNG), [{"inlineData": {"mimeType": "image/png", "data": in_base64("a")}}]),
        (ImagePart(GIF), [{"text": "(GIF image not shown: this model cannot read it)"}]),
        (ImagePart(Link("https://x.example/a.png")), [
            {"fileData": {"fileUri": "https://x.example/a.png", "mimeType": "image/png"}}
        ]),
        (DocumentPart(Link("https://x.example/a")), [
            {"fileData": {"fileUri": "https://x.example/a", "mimeType": "application/pdf"}}
        ]),
        (DocumentPart(PDF, "Terms"), [
            {"text": "Terms"}, {"inlineData": {"mimeType": "application/pdf", "data": in_base64("c")}}
        ]),
        (DocumentPart(TXT), [{"text": "d"}]),
        (AudioPart(MP3), [{"inlineData": {"mimeType": "audio/mp3", "data": in_base64("e")}}]),
    ],
)  # fmt: skip
def test_what_the_user_shows(part: Part, shown: list[Any]) -> None:
    assert parts((part,)) == shown


def test_marks_return_on_the_part_that_they_came_on() -> None:
    said = (
        ReasoningPart("Hm.", mark("s1")), TextPart("Hello", signature=mark("s2", "text")),
        ReasoningPart("", mark("s3", "text")), ReasoningPart("No.", mark("x", provider="anthropic")),
        ToolCallPart("c1", "look", "{}", mark("s4")),
    )  # fmt: skip
    assert body(HI, said, (ToolResultPart("c1"),))["contents"][1] == {"role": "model", "parts": [
        {"text": "Hm.", "thought": True, "thoughtSignature": "s1"},
        {"text": "Hello", "thoughtSignature": "s2"},
        {"text": "", "thoughtSignature": "s3"},
        {"functionCall": {"id": "c1", "name": "look", "args": {}}, "thoughtSignature": "s4"},
    ]}  # fmt: skip


@pytest.mark.parametrize(("model", "own"), [(NEW, {"thoughtSignature": gemini_contents.UNSIGNED}), (OLD, {})])
def test_the_first_call_of_another_vendor_gets_googles_replacement(model: str, own: dict[str, str]) -> None:
    calls = (ToolCallPart("c1", "look", "", mark("x", provider="openai")), ToolCallPart("c2", "look", "[1]"))
    told = body(HI, calls, (ToolResultPart("c1"), ToolResultPart("c2")), model=model)["contents"][1]["parts"]
    assert told == [
        {"functionCall": {"id": "c1", "name": "look", "args": {}}, **own},
        {"functionCall": {"id": "c2", "name": "look", "args": {"arguments": "[1]"}}},
    ]


def test_names_that_gemini_refuses_are_written_as_it_takes_them() -> None:
    called = (ToolCallPart("functions.a:0", "functions.a", "{}"), ToolCallPart("2", "9" * 99, "{}"))
    made = body(HI, called, (ToolResultPart("functions.a:0"), ToolResultPart("2")), tools=(Tool("functions_a", "A."),))
    names = ["functions_a", "_" + "9" * 63]
    assert [part["functionCall"]["name"] for part in made["contents"][1]["parts"]] == names
    assert [part["functionResponse"]["name"] for part in made["contents"][2]["parts"]] == names
    declared = made["tools"][0]["functionDeclarations"]
    assert [(tool["name"], tool["description"]) for tool in declared] == [
        (names[0], "A."),
        (names[1], "No longer available."),
    ]


def test_results_answer_their_calls_by_id_and_name() -> None:
    results = (ToolResultPart("c2", (TextPart("no"),), is_error=True), ToolResultPart("c1", SEEN), TextPart("Well?"))
    image = {"inlineData": {"mimeType": "image/png", "data": in_base64("a")}}
    first = {"id": "c1", "name": "look", "response": {"output": "A cat."}}
    second = {"functionResponse": {"id": "c2", "name": "look", "response": {"error": "no"}}}
    shown = parts(*LOOP, results)
    assert shown == [{"functionResponse": {**first, "parts": [image]}}, second, {"text": "Well?"}]
    assert parts(*LOOP, results, model=OLD) == [{"functionResponse": first}, second, image, {"text": "Well?"}]


def test_a_results_text_files_are_its_text_and_links_stand_beside_it() -> None:
    link = ImagePart(Link("https://x.example/a"))
    shown = parts(*LOOP, (ToolResultPart("c1", (TextPart("x"), DocumentPart(TXT, "T"), link)), ToolResultPart("c2")))
    assert [part.get("functionResponse", {}).get("response") for part in shown[:2]] == [
        {"output": ["x", "T", "d"]},
        {"output": ""},
    ]
    assert shown[2] == {"fileData": {"fileUri": "https://x.example/a", "mimeType": "image/jpeg"}}


def test_vendors_items_return_to_a_model_that_still_searches() -> None:
    call, cut = '{"toolCall": {"id": "x"},  "thoughtSignature": "s"}', '{"toolCall": {"id": "y"}}'
    items = [ProviderItem("gemini", "", told) for told in (call, '{"toolResponse": {"id": "x"}}', cut)]
    said: tuple[tuple[Part, ...], ...] = (HI, (*items, ProviderItem("openai", "x", "{}"), TextPart("Yes.")), HI)
    assert body(*said)["contents"][1]["parts"] == [{"text": "Yes."}]
    # Of an answer that broke off, a search has no result.
    returned = [json.loads(item.json) for item in items[:2]]
    assert body(*said, web_search=WebSearch())["contents"][1]["parts"] == [*returned, {"text": "Yes."}]


LOOK = Tool("look", "Looks.", SCHEMA)
DECLARED = {"functionDeclarations": [{"name": "look", "description": "Looks.", "parametersJsonSchema": CLEAN}]}
FORMAT = ResponseFormat('{"type": "object"}')


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({}, {}),
        ({"tools": (LOOK,)}, {"tools": [DECLARED]}),
        ({"tools": (Tool("f"),)}, {"tools": [{"functionDeclarations": [{"name": "f", "description": "f"}]}]}),
        *(
            ({"tools": (LOOK,), "tool_choice": ToolChoice(mode, name)},
             {"tools": [DECLARED], "toolConfig": {"functionCallingConfig": sent}})
            for mode, name, sent in [
                (ToolChoiceMode.AUTO, "", {"mode": "AUTO"}),
                (ToolChoiceMode.NONE, "", {"mode": "NONE"}),
                (ToolChoiceMode.REQUIRED, "", {"mode": "ANY"}),
                (ToolChoiceMode.ONE, "look", {"mode": "ANY", "allowedFunctionNames": ["look"]}),
            ]
        ),
        ({"web_search": WebSearch()}, {"tools": [{"googleSearch": {}}]}),
        ({"web_search": WebSearch(), "tools": (LOOK,)}, {
            "tools": [{"googleSearch": {}}, DECLARED], "toolConfig": {"includeServerSideToolInvocations": True}
        }),
        ({"service_tier": ServiceTier.FLEX}, {"serviceTier": "flex"}),
        ({"system_prompt": "Be brief."}, {"systemInstruction": {"role": "user", "parts": [{"text": "Be brief."}]}}),
        ({"parallel_tool_calls": False}, {}),
        ({"system_prompt": "Be brief.", "tools": (LOOK,), "parallel_tool_calls": False}, {
            "tools": [DECLARED],
            "systemInstruction": {"role": "user", "parts": [{"text": f"Be brief.\n\n{gemini_request.ONE_CALL}"}]},
        }),
        ({"top_p": 0.5, "seed": 7, "stop": ("END",), "response_format": FORMAT}, {"generationConfig": {
            "maxOutputTokens": 100, "topP": 0.5, "seed": 7, "stopSequences": ["END"],
            "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
        }}),
    ],
)  # fmt: skip
def test_options(options: dict[str, Any], sent: dict[str, Any]) -> None:
    made = body(HI, **options)
    made["generationConfig"].pop("thinkingConfig")
    config = {"generationConfig": {"maxOutputTokens": 100}}
    assert made == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], **config, **sent}


def test_tools_that_are_no_longer_offered_are_declared_and_may_not_be_called() -> None:
    results = (ToolResultPart("c1"), ToolResultPart("c2"))
    made = body(*LOOP, results)
    assert made["toolConfig"] == {"functionCallingConfig": {"mode": "NONE"}}
    assert [tool["name"] for tool in made["tools"][0]["functionDeclarations"]] == ["look"]
    # Models before Gemini 3 take no functions beside a search or a schema.
    assert "tools" not in body(*LOOP, results, model=OLD, response_format=FORMAT)
    assert body(*LOOP, results, model=OLD, web_search=WebSearch())["tools"] == [{"googleSearch": {}}]
