"""What ListModels says no to is refused, with the models that can; what it says yes to is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

import grpc
from aichat.v1 import chat_pb2, files_pb2, messages_pb2, models_pb2, options_pb2, parts_pb2

from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import ask, conversations, refusal, script, stream, times_asked
from tests.unit.files.made import gif, wav

SCHEMA = '{"type": "object", "properties": {}, "additionalProperties": false}'
MODELS = ("claude-haiku-5-5", "gpt-6-luna", "gemini-4-argon", "gemini-3.8-flash")


class Case(NamedTuple):
    """An option, and whether a model's abilities include it."""

    option: str
    options: options_pb2.ChatOptions
    can: Callable[[models_pb2.ModelAbilities], bool]


def _tier(tier: models_pb2.ServiceTier.ValueType) -> Callable[[models_pb2.ModelAbilities], bool]:
    return lambda can: any(price.tier == tier for price in can.service_tiers)


Options = options_pb2.ChatOptions
TOOL = options_pb2.Tool(name="look_up", parameters=SCHEMA)
CASES = (
    Case("temperature", Options(temperature=0.5), lambda can: can.temperature),
    Case("stop", Options(stop=["END"]), lambda can: can.stop),
    Case("top_p", Options(top_p=0.5), lambda can: can.top_p),
    Case("seed", Options(seed=7), lambda can: can.seed),
    Case("reasoning_effort", Options(reasoning_effort=options_pb2.REASONING_EFFORT_LOW), lambda can: can.reasoning),
    Case("tools", Options(tools=[TOOL]), lambda can: can.tools),
    Case(
        "parallel_tool_calls",
        Options(tools=[TOOL], parallel_tool_calls=False),
        lambda can: can.parallel_tool_calls,
    ),
    Case(
        "response_format",
        Options(response_format=options_pb2.ResponseFormat(json_schema=SCHEMA)),
        lambda can: can.response_format,
    ),
    Case("web_search", Options(web_search=options_pb2.WebSearch()), lambda can: can.web_search),
    Case(
        "service_tier",
        Options(service_tier=models_pb2.SERVICE_TIER_FLEX),
        _tier(models_pb2.SERVICE_TIER_FLEX),
    ),
    Case(
        "service_tier",
        Options(service_tier=models_pb2.SERVICE_TIER_PRIORITY),
        _tier(models_pb2.SERVICE_TIER_PRIORITY),
    ),
    Case("none", Options(cache=False, service_tier=models_pb2.SERVICE_TIER_STANDARD), lambda _: True),
)


async def test_every_option_is_answered_or_refused_as_list_models_says(
    server: ServerUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    listed = await server.chat.ListModels(chat_pb2.ListModelsRequest(), metadata=api_key.metadata)
    abilities = {model.model: model.abilities for model in listed.models}

    async def check(model: str, case: Case, number: int) -> int:
        """Returns how many conversations it leaves."""
        text = f"{script(deltas=['{}'])} {model}, case {number}."
        if case.can(abilities[model]):
            events = await ask(server, api_key, text, model=model, options=case.options)
            assert events[-1].HasField("completed"), (model, case.option)
            return 1
        failed = await refusal(stream(server, api_key, text, model=model, options=case.options))
        assert (failed.reason, failed.seen) == ("OPTION_UNSUPPORTED", []), (model, case.option, failed.message)
        able = [name for name, can in abilities.items() if case.can(can)]
        assert failed.metadata == {"model": model, "option": case.option, "models": ",".join(able[:16])}
        assert times_asked(vendors, text) == 0
        return 0

    left = 0
    for model in MODELS:
        left += sum(await asyncio.gather(*(check(model, case, number) for number, case in enumerate(CASES))))
    assert len(await conversations(server, api_key)) == left


async def test_what_only_some_searches_can_is_refused_by_the_others(server: ServerUnderTest, api_key: ApiKey) -> None:
    search = options_pb2.WebSearch(max_searches=1, allowed_domains=["example.com"])
    calls = [
        stream(server, api_key, "Hi", model=model, options=Options(web_search=search))
        for model in ("gemini-3.8-flash", "gemini-4-argon")
    ]
    failures = await asyncio.gather(*map(refusal, calls))
    assert {failed.metadata["option"] for failed in failures} == {"web_search.allowed_domains"}
    assert all("claude-opus-5-5" in failed.metadata["models"].split(",") for failed in failures)


async def test_a_part_that_a_model_cannot_read_is_refused_before_it_is_stored(
    server: ServerUnderTest, api_key: ApiKey
) -> None:
    sound, moving = parts_pb2.AudioPart(data=wav()), parts_pb2.ImagePart(data=gif())
    hears, sees = messages_pb2.Part(audio=sound), messages_pb2.Part(image=moving)

    def show(
        model: str, part: messages_pb2.Part
    ) -> grpc.aio.UnaryStreamCall[chat_pb2.StreamChatRequest, chat_pb2.StreamChatResponse]:
        text = messages_pb2.Part(text=messages_pb2.TextPart(text=script(deltas=["Hi"])))
        request = chat_pb2.StreamChatRequest(model=model, parts=[part, text])
        return server.chat.StreamChat(request, metadata=api_key.metadata)

    for model, part, kind, able, data in (
        ("claude-haiku-5-5", hears, "audio", "gemini-3.8-flash", sound.data),
        ("gpt-6-luna", hears, "audio", "gemini-4-argon", sound.data),
        # Only its bytes tell that it is one.
        ("gemini-4-argon", sees, "gif", "claude-haiku-5-5", moving.data),
    ):
        failed = await refusal(show(model, part))
        assert (failed.reason, failed.metadata["part"], failed.seen) == ("PART_UNSUPPORTED", kind, [])
        assert able in failed.metadata["models"].split(",")
        assert model not in failed.metadata["models"].split(",")
        named = files_pb2.GetFileRequest(file_id=sha256(data).hexdigest())
        assert (await refusal(server.files.GetFile(named, metadata=api_key.metadata))).reason == "FILE_NOT_FOUND"
    for model, part in (("gemini-3.8-flash", hears), ("claude-haiku-5-5", sees)):
        assert [event async for event in show(model, part)][-1].HasField("completed")
