"""One chat turn through the edge is one trace, from Envoy to the vendor."""

from __future__ import annotations

from uuid import uuid4

import httpx

from tests.e2e.calls import CHAT, chat_body, script, sse_events
from tests.fixtures.seen import SeenPlatform, SeenSpan, until

EDGE, SERVER, WORKERS = "aichat-edge", "aichat-server", "aichat-workers"


def _has(span: SeenSpan, key: str) -> bool:
    return key in span.attributes


def _kinds(trace: list[SeenSpan]) -> dict[str, SeenSpan]:
    """Returns one span of each kind that a turn has."""
    kinds = {}
    for seen in trace:
        if seen.service == EDGE:
            kinds["edge"] = seen
        elif seen.attributes.get("rpc.system") == "grpc":
            kinds["server"] = seen
        elif seen.attributes.get("db.system") == "postgresql" and "begin_turn" in seen.attributes["db.statement"]:
            kinds["sql"] = seen
        elif seen.attributes.get("db.system") == "redis":
            kinds["redis"] = seen
        elif seen.span.name == "generation":
            kinds["generation"] = seen
        elif seen.span.name == "POST":
            kinds["vendor"] = seen
    return kinds


async def test_a_turn_is_one_trace(seen: SeenPlatform, http: httpx.AsyncClient) -> None:
    request_id, words = str(uuid4()), f"words-{uuid4().hex}"
    headers = {"x-request-id": request_id}
    async with http.stream("POST", CHAT, json=chat_body(script(deltas=[words])), headers=headers) as response:
        assert [event async for event in sse_events(response)]
        assert response.headers["x-request-id"] == request_id

    def call() -> list[SeenSpan]:
        return [span for span in seen.watchers.spans if span.attributes.get("aichat.request_id") == request_id]

    await until(lambda: bool(call()))
    trace_id = call()[0].span.trace_id
    await until(lambda: len(_kinds(seen.watchers.trace(trace_id))) == 6)
    kinds = _kinds(seen.watchers.trace(trace_id))
    assert not kinds["edge"].span.parent_span_id
    by_id = {span.span.span_id: span for span in seen.watchers.trace(trace_id)}
    assert by_id[kinds["server"].span.parent_span_id].service == EDGE
    for kind in ("sql", "redis", "vendor", "generation"):
        assert kinds[kind].span.parent_span_id == kinds["server"].span.span_id, kind
    assert kinds["generation"].attributes["gen_ai.provider.name"] == "anthropic"
    # The vendor received the trace, too.
    [asked] = [entry for entry in httpx.get(f"{seen.platform.vendors_url}/_log").json() if words in str(entry["body"])]
    assert asked["headers"]["traceparent"] == f"00-{trace_id.hex()}-{kinds['vendor'].span.span_id.hex()}-01"
    # The text and the key stay out of it.
    sent = b"".join(seen.watchers.traces_raw)
    assert words.encode() not in sent
    assert seen.platform.key["api_key"].encode() not in sent


async def test_a_job_is_one_trace_from_the_queue_to_its_statements(seen: SeenPlatform) -> None:
    def named(name: str) -> list[SeenSpan]:
        return [span for span in seen.watchers.spans if (span.service, span.span.name) == (WORKERS, name)]

    # Workers queue every job at their start.
    await until(lambda: bool(named("job rollups")))
    job = named("job rollups")[0]
    trace_id = job.span.trace_id
    await until(lambda: any(span.span.trace_id == trace_id for span in named("queue rollups")))
    [queued] = [span for span in named("queue rollups") if span.span.trace_id == trace_id]
    assert not queued.span.parent_span_id
    assert job.span.parent_span_id == queued.span.span_id
    inside = [span for span in seen.watchers.trace(trace_id) if span.span.parent_span_id == job.span.span_id]
    assert any("aichat.roll_up" in span.attributes.get("db.statement", "") for span in inside)


async def test_background_work_starts_no_trace(seen: SeenPlatform, http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/models")).status_code == 200
    await until(lambda: any(span.span.name.endswith("/ListModels") for span in seen.watchers.spans))
    # Journals are copied and prices read all the time, outside of any call.
    roots = [span for span in seen.watchers.spans if not span.span.parent_span_id]
    assert {root.service for root in roots if not root.span.name.startswith("queue ")} == {EDGE}
