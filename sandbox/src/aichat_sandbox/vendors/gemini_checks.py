"""What Gemini refuses, with its own words where they are known."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

BEFORE_3 = ("gemini-1", "gemini-2", "gemma-")
UNSIGNED = "skip_thought_signature_validator"
"""Replaces the signature of a call that Gemini has not written."""

BODY = {"contents", "systemInstruction", "generationConfig", "tools", "toolConfig", "serviceTier", "safetySettings"}
CONFIG = {
    "maxOutputTokens", "temperature", "topP", "topK", "seed", "stopSequences", "thinkingConfig", "responseMimeType",
    "responseJsonSchema", "responseSchema", "mediaResolution", "candidateCount",
}  # fmt: skip
DATA = {
    "text", "inlineData", "fileData", "functionCall", "functionResponse", "toolCall", "toolResponse", "executableCode",
    "codeExecutionResult",
}  # fmt: skip
BESIDE = {"thought", "thoughtSignature"}
OF_USER = {"text", "inlineData", "fileData", "functionResponse"}
OF_MODEL = DATA - {"functionResponse", "fileData"}
MEDIA_TYPES = {
    "image/png", "image/jpeg", "image/webp", "image/heic", "image/heif", "application/pdf", "text/plain", "audio/wav",
    "audio/mp3", "audio/aiff", "audio/aac", "audio/ogg", "audio/flac",
}  # fmt: skip
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
MODES = {"AUTO", "ANY", "NONE", "VALIDATED"}


def signature(part: Json) -> str:
    """Returns the signature of a part that this stand-in has written."""
    content = {name: value for name, value in part.items() if name not in BESIDE}
    if "functionCall" in content:
        content = {name: content["functionCall"].get(name) for name in ("name", "args")}
    told = json.dumps(content, sort_keys=True).encode()
    return base64.b64encode(b"gemini" + hashlib.sha256(told).digest()).decode()


def check(body: Json, model: str) -> None:
    """Raises KeyError, TypeError or ValueError if Gemini would refuse the request."""
    _only(body, BODY, "")
    _only(body.get("generationConfig") or {}, CONFIG, " at 'generation_config'")
    if not body["contents"]:
        raise ValueError("GenerateContentRequest.contents: contents is not specified")
    for n, content in enumerate(body["contents"]):
        _check_content(content, n, model)
        if {call["id"] for call in _of(content, "toolCall")} != {told["id"] for told in _of(content, "toolResponse")}:
            raise ValueError("Each toolCall needs its toolResponse.")
    _check_calls(body["contents"])
    if not model.startswith(BEFORE_3):
        _check_signatures(body["contents"])
    _check_tools(body, model)
    _check_format(body, model)


def _only(told: Json, known: set[str], place: str) -> None:
    for name in told.keys() - known:
        raise ValueError(f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.')


def _check_content(content: Json, n: int, model: str) -> None:
    role, parts = content["role"], content["parts"]
    if role not in ("user", "model"):
        raise ValueError("Please use a valid role: user, model.")
    if not parts:
        raise ValueError(f"GenerateContentRequest.contents[{n}].parts: contents.parts must not be empty.")
    for part in parts:
        _only(part, DATA | BESIDE, f" at 'contents[{n}].parts'")
        kinds = part.keys() & DATA
        if len(kinds) != 1 or not kinds <= (OF_USER if role == "user" else OF_MODEL):
            raise ValueError(f"contents[{n}].parts: a part of the {role}'s holds {sorted(kinds) or 'nothing'}")
        if part.get("text") == "" and "thoughtSignature" not in part:
            raise ValueError(f"contents[{n}].parts: data must have one initialized field")
        if (mark := part.get("thoughtSignature")) not in (None, UNSIGNED, signature(part)):
            raise ValueError(f"Thought signature is not valid: {mark[:20]}")
        _check_media(part.get("inlineData"))
        if (response := part.get("functionResponse")) is not None:
            _check_response(response, model)


def _check_media(media: Json | None) -> None:
    if media is None:
        return
    if media["mimeType"] not in MEDIA_TYPES:
        raise ValueError(f"Unsupported MIME type: {media['mimeType']}")
    try:
        base64.b64decode(media["data"], validate=True)
    except binascii.Error:
        raise ValueError("Base64 decoding failed for inline_data.data") from None


def _check_response(response: Json, model: str) -> None:
    _only(response, {"id", "name", "response", "parts"}, " at 'function_response'")
    if not isinstance(response["response"], dict):
        raise TypeError("Invalid value at function_response.response: a Struct is expected")
    if response.get("parts") and model.startswith(BEFORE_3):
        raise ValueError("Multimodal function responses are not supported by this model.")
    for part in response.get("parts", ()):
        _only(part, {"inlineData"}, " at 'function_response.parts'")
        _check_media(part["inlineData"])


def _of(content: Json, kind: str) -> list[Json]:
    return [part[kind] for part in content["parts"] if kind in part]


def _check_calls(contents: Sequence[Json]) -> None:
    """Each message with calls is followed by one with their results, and results follow calls."""
    for n, content in enumerate(contents):
        calls, results = _of(content, "functionCall"), _of(content, "functionResponse")
        before = _of(contents[n - 1], "functionCall") if n else []
        if calls and (n == 0 or contents[n - 1]["role"] != "user"):
            raise ValueError(
                "Please ensure that function call turn comes immediately after a user turn or after a function "
                "response turn."
            )
        if len(results) != len(before):
            raise ValueError(
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn."
            )
        named = sorted((result.get("id", ""), result["name"]) for result in results)
        if named != sorted((call.get("id", ""), call["name"]) for call in before):
            raise ValueError("Please ensure that function responses have the names and ids of their calls.")
    if _of(contents[-1], "functionCall"):
        raise ValueError("Please ensure that function response turn comes immediately after a function call turn.")


def _check_signatures(contents: Sequence[Json]) -> None:
    """Since the last user message with other content than results, the first call of each message has a signature."""
    begin = max((n for n, content in enumerate(contents) if _begins_turn(content)), default=0)
    for content in contents[begin:]:
        first = next((part for part in content["parts"] if "functionCall" in part), None)
        if first is not None and not first.get("thoughtSignature"):
            name = first["functionCall"]["name"]
            raise ValueError(f"Function call is missing a thought_signature in functionCall parts: {name}")


def _begins_turn(content: Json) -> bool:
    return content["role"] == "user" and any("functionResponse" not in part for part in content["parts"])


def _check_tools(body: Json, model: str) -> None:
    tools = body.get("tools") or ()
    for tool in tools:
        _only(tool, {"functionDeclarations", "googleSearch"}, " at 'tools'")
    declared = list(declarations(body))
    _check_names([tool["name"] for tool in declared])
    for tool in declared:
        _only(tool, {"name", "description", "parametersJsonSchema"}, " at 'tools.function_declarations'")
        _check_schema(tool.get("parametersJsonSchema", {}))
    choice = body.get("toolConfig") or {}
    _only(choice, {"functionCallingConfig", "includeServerSideToolInvocations"}, " at 'tool_config'")
    _check_choice(choice.get("functionCallingConfig"), {tool["name"] for tool in declared})
    if declared and any("googleSearch" in tool for tool in tools):
        if model.startswith(BEFORE_3):
            raise ValueError("Tool use with function calling is unsupported by the model.")
        if not choice.get("includeServerSideToolInvocations"):
            raise ValueError(
                "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function "
                "calling."
            )


def _check_format(body: Json, model: str) -> None:
    config = body.get("generationConfig") or {}
    if "responseJsonSchema" in config:
        if config.get("responseMimeType") != "application/json":
            raise ValueError("responseJsonSchema needs the responseMimeType application/json")
        if body.get("tools") and model.startswith(BEFORE_3):
            raise ValueError("Function calling with a response mime type: 'application/json' is unsupported")
        _check_schema(config["responseJsonSchema"])


def declarations(body: Json) -> Iterator[Json]:
    """Yields the functions of a request."""
    for tool in body.get("tools") or ():
        yield from tool.get("functionDeclarations", ())


def _check_names(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not NAME.fullmatch(name):
            raise ValueError(f"Invalid function name: {name}. Must start with a letter or an underscore.")
        if name in seen:
            raise ValueError(f"Duplicate function declaration found: {name}")
        seen.add(name)


def _check_choice(choice: Json | None, declared: set[str]) -> None:
    if choice is None:
        return
    if not declared:
        raise ValueError("Function calling config is set without function_declarations.")
    if choice["mode"] not in MODES:
        raise ValueError(f"Invalid value at 'tool_config.function_calling_config.mode': {choice['mode']}")
    allowed = choice.get("allowedFunctionNames", ())
    if allowed and (choice["mode"] not in ("ANY", "VALIDATED") or not set(allowed) <= declared):
        raise ValueError("allowed_function_names are declared functions, and the mode is ANY or VALIDATED.")


def _check_schema(schema: object) -> None:
    if isinstance(schema, list):
        for inner in schema:
            _check_schema(inner)
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str) and any(not name.startswith("$") for name in schema):
            raise ValueError("A schema with $ref may only have other fields that start with $.")
        for inner in schema.values():
            _check_schema(inner)
