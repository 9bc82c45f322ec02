"""Values of a wrong type are refused with their field's name, before anything is sent."""

from __future__ import annotations

import io
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import betterproto2
import pytest
from aichat_sdk import ArgumentError, AsyncAIChat, ConfigurationError, InvalidRequestError, Tool, ToolResult, types
from aichat_sdk._checking import check
from aichat_sdk._proto.aichat import v1

from tests.unit.sdk.scripted import API_KEY, ScriptedServer, answer

NOW = datetime.now(UTC)
FIVE: Any = 5
TEXT_OF_FIVE: Any = types.Part(text=types.TextPart(text=5))  # type: ignore[arg-type]
REQUESTS = [kind for name, kind in vars(v1).items() if name.endswith("Request")]
FIELDS = [(kind, field) for kind in (*REQUESTS, v1.ChatOptions, v1.Part, v1.TextPart) for field in kind.__annotations__]
CallOf = Callable[[AsyncAIChat], Awaitable[object]]


def sent(**params: Any) -> CallOf:
    return lambda client: client.chat.send(**({"model": "m", "text": "Hi"} | params))


async def resumed(client: AsyncAIChat, *arguments: Any) -> None:
    async with client.chat.resume(*arguments) as stream:
        await anext(aiter(stream))


async def run(client: AsyncAIChat, **params: Any) -> None:
    async with client.chat.run_tools(model="m", text="Hi", **params) as running:
        await running.get_final_message()


async def exported(client: AsyncAIChat) -> None:
    nothing: Any = None
    async for _ in client.usage.export(NOW, nothing):
        pass


WRONG: list[tuple[str, CallOf]] = [
    ("conversation_id", sent(conversation_id=uuid.uuid4())),
    ("conversation_id", sent(conversation_id=0)),
    ("request_id", sent(request_id=uuid.uuid4())),
    ("parent_message_id", sent(parent_message_id=b"a")),
    ("max_output_tokens", sent(max_output_tokens=1.5)),
    ("max_output_tokens", sent(max_output_tokens=2**32 + 5)),
    ("max_output_tokens", sent(max_output_tokens=-(2**31) - 1)),
    ("max_output_tokens", sent(max_output_tokens=True)),
    ("max_output_tokens", sent(max_output_tokens="5")),
    ("temperature", sent(temperature="hot")),
    ("temperature", sent(temperature=Decimal("0.5"))),
    ("temperature", sent(temperature=float("nan"))),
    ("temperature", sent(temperature=10**400)),
    ("stop", sent(stop=0)),
    ("stop", sent(stop=b"a")),
    (r"stop\[1\]", sent(stop=["a", 5])),
    ("stop", sent(stop={"a"})),
    ("system_prompt", sent(system_prompt=b"be kind")),
    ("reasoning_effort", sent(reasoning_effort="extreme")),
    ("reasoning_effort", sent(reasoning_effort="unspecified")),
    ("reasoning_effort", sent(reasoning_effort=3)),
    ("cancel_on_disconnect", sent(cancel_on_disconnect=None)),
    ("cancel_on_disconnect", sent(cancel_on_disconnect=1)),
    ("model", sent(model=None)),
    (r"parts\[0\]", sent(text=None, parts=[{"text": {"text": "Hi"}}])),
    (r"parts\[0\]", sent(text=None, parts=[None])),
    ("parts", sent(text=None, parts="Hi")),
    ("parts", sent(text=None, parts=types.Part())),
    (r"parts\[0\].text.text", sent(text=None, parts=[TEXT_OF_FIVE])),
    (r"parts\[1\].content\[0\]", sent(text=None, parts=["Hi", ToolResult("c", [FIVE])])),
    (r"parts\[0\].tool_result.call_id", sent(text=None, parts=[ToolResult(FIVE)])),
    ("^text", sent(text=b"Hi")),
    ("^text", sent(text="\ud800")),
    ("tools", sent(tools=len)),
    (r"tools\[1\]", sent(tools=[Tool("f"), None])),
    (r"tools\[0\]", sent(tools=[lambda place: place])),
    (r"tools\[0\].parameters", sent(tools=[Tool("f", parameters={"enum": {1}})])),
    (r"tools\[1\]", sent(tools=[Tool("f"), Tool("f")])),
    ("tool_choice", sent(tool_choice=5)),
    ("parallel_tool_calls", sent(parallel_tool_calls="no")),
    ("response_format", sent(response_format="{}")),
    ("response_format", sent(response_format={"const": float("nan")})),
    ("response_format", sent(response_format={"const": b"a"})),
    ("output_type", sent(output_type=int)),
    ("output_type", sent(output_type=5)),
    ("web_search", sent(web_search="yes")),
    ("service_tier", sent(service_tier="gold")),
    ("long_history", sent(long_history="forget")),
    ("cache", sent(cache=1)),
    ("top_p", sent(top_p="all")),
    ("seed", sent(seed=1.5)),
    ("colour", sent(colour="red")),
    ("sytem_prompt is no option; did you mean system_prompt", sent(sytem_prompt="Be kind.")),
    ("request_id", lambda client: client.chat.count_tokens(model="m", text="Hi", request_id="a")),  # type: ignore[call-arg]
    ("model", lambda client: client.chat.send(text="Hi")),  # type: ignore[call-overload]
    ("max_rounds", lambda client: run(client, max_rounds="5")),
    ("max_rounds", lambda client: run(client, max_rounds=0)),
    ("max_rounds", lambda client: run(client, max_rounds=1.5)),
    ("tool_choise", lambda client: run(client, tool_choise="auto")),
    ("source", lambda client: client.files.upload(5)),  # type: ignore[arg-type]
    ("source", lambda client: client.files.upload(io.StringIO("text"))),  # type: ignore[arg-type]
    ("file_id", lambda client: client.files.get(5)),  # type: ignore[arg-type]
    ("timeout", sent(timeout="5")),
    ("timeout", sent(timeout=float("nan"))),
    ("generation_id", lambda client: resumed(client, uuid.uuid4())),
    ("after_sequence", lambda client: resumed(client, "g", "5")),
    ("after_sequence", lambda client: resumed(client, "g", 2**63)),
    ("generation_id", lambda client: client.chat.cancel(5)),  # type: ignore[arg-type]
    ("title", lambda client: client.conversations.create(title=None)),  # type: ignore[arg-type]
    ("title", lambda client: client.conversations.update("c", title=5)),  # type: ignore[arg-type]
    ("conversation_id", lambda client: client.conversations.get(None)),  # type: ignore[arg-type]
    ("page_size", lambda client: client.conversations.list(page_size=2.0)),  # type: ignore[arg-type]
    ("page_token", lambda client: client.conversations.list(page_token=None)),  # type: ignore[arg-type]
    ("quota_warnings", lambda client: client.notifications.update(quota_warnings="yes")),  # type: ignore[arg-type]
    ("start_time", lambda client: client.usage.query(date.today(), NOW)),  # type: ignore[arg-type]  # noqa: DTZ011
    ("end_time", lambda client: client.usage.query(NOW, None)),  # type: ignore[arg-type]
    ("end_time", lambda client: client.usage.query(NOW, datetime.now())),  # noqa: DTZ005
    ("bucket", lambda client: client.usage.query(NOW, NOW, bucket="week")),  # type: ignore[arg-type]
    ("group_by", lambda client: client.usage.query(NOW, NOW, group_by="model")),  # type: ignore[arg-type]
    (r"group_by\[0\]", lambda client: client.usage.query(NOW, NOW, group_by=["colour"])),  # type: ignore[list-item]
    ("include_latency", lambda client: client.usage.query(NOW, NOW, include_latency="no")),  # type: ignore[arg-type]
    ("end_time", exported),
    ("texts", lambda client: client.embeddings.create(model="m", texts=None)),  # type: ignore[arg-type]
    ("tokens", lambda client: client.embeddings.create(model="m", tokens=None)),  # type: ignore[arg-type]
    ("tokens", lambda client: client.embeddings.create(model="m", tokens="ab")),  # type: ignore[arg-type]
    ("month", lambda client: client.billing.verify_invoice(202610)),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("field", "call"), WRONG, ids=[f"{number} {name}" for number, (name, _) in enumerate(WRONG)])
async def test_a_wrong_value_is_refused_by_its_field(
    server: ScriptedServer, client: AsyncAIChat, field: str, call: CallOf
) -> None:
    with pytest.raises(ArgumentError, match=rf"(^|\.){field}[ ?]") as caught:
        await call(client)
    assert caught.value.violations
    assert isinstance(caught.value, InvalidRequestError)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ValueError)
    assert server.calls == []


@pytest.mark.parametrize(("kind", "field"), FIELDS, ids=[f"{kind.__name__}.{field}" for kind, field in FIELDS])
def test_no_field_of_a_request_takes_what_it_cannot_hold(kind: type[betterproto2.Message], field: str) -> None:
    for wrong in (object(), [object()], {}):
        with pytest.raises(InvalidRequestError, match=f"^{field}"):
            check(kind(**{field: wrong}))
    check(kind())


def test_many_wrong_values_are_reported_by_the_first_ones() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check(v1.ChatOptions(stop=[5] * 100_000))  # type: ignore[list-item]
    assert len(caught.value.violations) == 16


async def test_what_python_takes_for_the_type_is_sent(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("StreamChat", answer("yes"), answer("yes"))
    tuples: Any = ("a", "b")
    await client.chat.send(model="m", text="Hi", temperature=1, stop=tuples, max_output_tokens=2**31 - 1, request_id="")
    options = server.calls[0].request.options
    assert (options.temperature, list(options.stop), options.max_output_tokens) == (1.0, ["a", "b"], 2**31 - 1)
    assert uuid.UUID(server.calls[0].request.request_id).version == 4
    # More than gRPC can represent.
    await client.chat.send(model="m", text="Hi", timeout=1e300)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("endpoint", 5), ("api_key", b"ak"), ("secure", "yes"), ("timeout", "5"), ("timeout", None),
        ("stall_timeout", float("inf")), ("stall_timeout", 0), ("max_retries", 1.5), ("max_retries", -1),
    ],
)  # fmt: skip
def test_a_client_of_wrong_values_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} "):
        AsyncAIChat(**({"endpoint": "localhost:1", "api_key": API_KEY} | {name: value}))
