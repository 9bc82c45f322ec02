"""The metrics at each process's address."""

from __future__ import annotations

import asyncpg
import httpx
import pytest
from aichat_server.models.domain.usage import KINDS

from tests.e2e.calls import CHAT, MODELS, chat_body, chat_events, script
from tests.fixtures.seen import SeenPlatform, until

PROVIDERS = dict(zip(("anthropic", "openai", "gemini"), MODELS, strict=True))


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_answer_is_counted_for_its_vendor(seen: SeenPlatform, http: httpx.AsyncClient, provider: str) -> None:
    model = PROVIDERS[provider]
    names = {
        "aichat_generations_total": {"model": model, "state": "complete"},
        "aichat_first_delta_seconds_count": {},
        "aichat_generation_seconds_count": {},
    }
    before = {name: seen.total(name, provider=provider, **labels) for name, labels in names.items()}
    deltas = seen.total("aichat_deltas_total", provider=provider)
    output = seen.total("aichat_tokens_total", model=model, kind="output")
    calls = seen.total("aichat_rpc_calls_total", method="StreamChat", code="OK")
    events = await chat_events(http, script(deltas=["one ", "two ", "three"]), model=model)
    after = {name: seen.total(name, provider=provider, **labels) for name, labels in names.items()}
    assert after == {name: value + 1 for name, value in before.items()}
    assert seen.total("aichat_deltas_total", provider=provider) == deltas + 3
    [used] = [event["usage"]["usage"]["output_tokens"] for event in events if "usage" in event][-1:]
    assert seen.total("aichat_tokens_total", model=model, kind="output") == output + int(used)
    await until(lambda: seen.total("aichat_rpc_calls_total", method="StreamChat", code="OK") == calls + 1)
    assert seen.total("aichat_rpc_seconds_count", method="StreamChat") >= calls + 1


async def test_every_kind_of_usage_is_counted(seen: SeenPlatform, http: httpx.AsyncClient) -> None:
    model = PROVIDERS["anthropic"]
    counts = {
        "input": 10, "cache_read": 20, "cache_write": 18, "cache_write_1h": 12, "output": 40, "reasoning": 5,
        "web_searches": 6,
    }  # fmt: skip
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 18, "ephemeral_1h_input_tokens": 12},
        "output_tokens": 40,
        "output_tokens_details": {"thinking_tokens": 5},
        "server_tool_use": {"web_search_requests": 6},
    }

    def totals() -> dict[str, float]:
        return {kind.name: seen.total("aichat_tokens_total", model=model, kind=kind.name) for kind in KINDS}

    before = totals()
    await chat_events(http, script(usage=usage), model=model)
    assert {name: total - before[name] for name, total in totals().items()} == counts


async def test_open_streams_are_shown_while_they_are_open(seen: SeenPlatform, http: httpx.AsyncClient) -> None:
    body = chat_body(script(deltas=["one "], hang_after=1), cancel_on_disconnect=True)
    async with http.stream("POST", CHAT, json=body):
        await until(lambda: seen.total("aichat_rpc_open", method="StreamChat") == 1)
        await until(lambda: seen.total("aichat_generations_running") == 1)
    await until(lambda: seen.total("aichat_rpc_open", method="StreamChat") == 0)
    await until(lambda: seen.total("aichat_generations_running") == 0)


async def test_a_refusal_is_counted_by_its_reason(seen: SeenPlatform, http: httpx.AsyncClient) -> None:
    labels = {"method": "StreamChat", "code": "NOT_FOUND", "reason": "MODEL_UNKNOWN"}
    before = seen.total("aichat_rpc_calls_total", **labels)
    assert (await http.post(CHAT, json=chat_body("Hello", model="no-such-model"))).status_code == 404
    await until(lambda: seen.total("aichat_rpc_calls_total", **labels) == before + 1)


async def test_a_vendors_failure_is_counted(seen: SeenPlatform, http: httpx.AsyncClient) -> None:
    labels = {"provider": "anthropic", "reason": "PROVIDER_REQUEST_REJECTED", "then": "failed"}
    before = seen.total("aichat_vendor_failures_total", **labels)
    await http.post(CHAT, json=chat_body(script(status=400)))
    await until(lambda: seen.total("aichat_vendor_failures_total", **labels) == before + 1)


async def test_p06_a_turn_with_unchecked_quotas_is_counted(seen: SeenPlatform, http: httpx.AsyncClient) -> None:
    before = seen.total("aichat_quota_unchecked_total")
    owner = await asyncpg.connect(seen.platform.database_url)
    try:
        await owner.execute("REVOKE SELECT ON aichat.quotas FROM aichat_app")
        await chat_events(http, "Hello")
    finally:
        await owner.execute("GRANT SELECT ON aichat.quotas TO aichat_app")
        await owner.close()
    assert seen.total("aichat_quota_unchecked_total") == before + 1


async def test_p17_a_continued_call_and_an_abandoned_answer_are_counted(
    seen: SeenPlatform, http: httpx.AsyncClient
) -> None:
    names = ("aichat_calls_continued_total", "aichat_answers_abandoned_total")
    before = [seen.total(name) for name in names]
    say = {"role": "user", "content": script(deltas=["one "], hang_after=1)}
    body = {"model": PROVIDERS["anthropic"], "messages": [say], "stream": True}
    for headers in ({}, {}, {"x-aichat-reattach": "off"}):
        async with http.stream("POST", "/openai/v1/chat/completions", json=body, headers=headers) as response:
            assert response.status_code == 200
        await until(lambda: seen.total("aichat_rpc_open", method="CreateChatCompletion") == 0)
    assert seen.total(names[0]) == before[0] + 1
    await until(lambda: seen.total(names[1]) > before[1])


async def test_each_process_exports_its_own(seen: SeenPlatform) -> None:
    assert len(seen.metrics) == len(seen.platform.upstreams)
    cpu = [
        value
        for address in seen.metrics
        for name, _, value in seen.samples(address)
        if name == "process_cpu_seconds_total"
    ]
    assert len(cpu) == len(seen.metrics)
    assert all(cpu)
