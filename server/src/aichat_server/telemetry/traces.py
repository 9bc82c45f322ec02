"""OpenTelemetry traces: a call's path from the edge through SQL and Redis to the vendor, in W3C trace context.

The maintained instrumentations create the spans of asyncpg, Redis and aiohttp, and send the context to the vendor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Thread

from opentelemetry import context as contexts
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes

from aichat_server.generations.domain.observing import GenerationEnded
from aichat_server.jobs.domain.observing import TraceContext
from aichat_server.telemetry.observing import Observer
from aichat_server.transport.observing import SeenCall

_NANOSECONDS = 1_000_000_000
_EXPORT_SECONDS = 5.0
"""How long the collector may take for one batch of spans, which a thread sends."""
_FLUSH_SECONDS = 2.0
"""How long a stopping process waits for the collector to accept the last spans."""
_CONTEXT_HEADERS = ("traceparent", "tracestate")
# Statuses that are not a fault of the server.
_FAULTS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNIMPLEMENTED"})


class Traces(Observer):
    """Creates the spans that only this server can: calls, jobs and answers."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def call(self, call: SeenCall) -> Iterator[None]:
        """A span of the trace in the call's headers, or of a new one."""
        service, _, name = call.method.strip("/").partition("/")
        carrier = {key: values[0] for key in _CONTEXT_HEADERS if (values := call.values(key))}
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
        outer = self._propagator.extract(carrier, contexts.Context())
        with self._span(call.method.strip("/"), outer, attributes) as span:
            try:
                yield
            finally:
                span.set_attribute("aichat.request_id", call.request_id)
                span.set_attribute("rpc.grpc.status", call.status)
                if call.org_id is not None:
                    span.set_attribute("aichat.org_id", str(call.org_id))
                if call.reason is not None:
                    span.set_attribute("aichat.reason", call.reason)
                if call.status in _FAULTS:
                    span.set_status(Status(StatusCode.ERROR))

    @contextmanager
    def queueing(self, name: str) -> Iterator[TraceContext]:
        """A span of a new trace, whose context the message carries."""
        carrier: dict[str, str] = {}
        with self._span(f"queue {name}", contexts.Context(), {"aichat.job": name}, SpanKind.PRODUCER):
            self._propagator.inject(carrier)
            yield carrier

    @contextmanager
    def resuming(self, trace: TraceContext) -> Iterator[None]:
        """Spans inside belong to that trace."""
        token = contexts.attach(self._propagator.extract(trace, contexts.Context()))
        try:
            yield
        finally:
            contexts.detach(token)

    @contextmanager
    def job(self, name: str) -> Iterator[None]:
        """A span of the current trace, or of a new one."""
        with self._span(f"job {name}", contexts.get_current(), {"aichat.job": name}):
            yield

    def generation_ended(self, ended: GenerationEnded) -> None:
        """Creates a span from the answer's beginning to its end, once both are known."""
        began = round(ended.began_at * _NANOSECONDS)
        attributes: dict[str, str | int | float] = {
            "gen_ai.provider.name": ended.provider,
            "gen_ai.request.model": ended.model,
            "gen_ai.usage.input_tokens": ended.usage.total_input,
            "gen_ai.usage.output_tokens": ended.usage.output,
            "aichat.generation_id": str(ended.generation_id),
            "aichat.state": ended.state,
            "aichat.deltas": ended.deltas,
        }
        if ended.first_delta_seconds is not None:
            attributes["aichat.first_delta_seconds"] = ended.first_delta_seconds
        if ended.reason is not None:
            attributes["aichat.reason"] = ended.reason
        span = self._tracer.start_span("generation", start_time=began, attributes=attributes)
        span.end(began + round(ended.seconds * _NANOSECONDS))

    @contextmanager
    def _span(
        self, name: str, outer: contexts.Context, attributes: Mapping[str, str], kind: SpanKind = SpanKind.SERVER
    ) -> Iterator[Span]:
        with self._tracer.start_as_current_span(name, outer, kind, attributes, record_exception=False) as span:
            yield span


@contextmanager
def open_traces(endpoint: str, service: str) -> Iterator[Traces]:
    """Sends spans to the OTLP collector at `endpoint` (HTTP, for example "http://collector:4318").

    An unreachable or silent collector loses the spans, and has no other effect. The instrumentations apply to the whole
    process.
    """
    provider = TracerProvider(
        sampler=ParentBased(_CallsAndJobs()),
        resource=Resource.create({"service.name": service}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(_WithoutWords(exporter)))
    queries = AsyncPGInstrumentor()  # type: ignore[no-untyped-call]
    instrumentors = (queries, RedisInstrumentor(), AioHttpClientInstrumentor())
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=provider)
    try:
        yield Traces(provider.get_tracer("aichat"))
    finally:
        for instrumentor in instrumentors:
            instrumentor.uninstrument()
        _flush(provider)


def _flush(provider: TracerProvider) -> None:
    """Sends the remaining spans. The library has no time limit of its own, and retries for half a minute."""
    flushing = Thread(target=provider.shutdown, daemon=True)
    flushing.start()
    flushing.join(_FLUSH_SECONDS)


class _CallsAndJobs(Sampler):
    """Begins traces at calls and jobs, not at background work such as copying journals."""

    def should_sample(
        self,
        parent_context: contexts.Context | None,  # noqa: ARG002 — what begins a trace has none
        trace_id: int,  # noqa: ARG002 — all alike
        name: str,  # noqa: ARG002 — all alike
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,  # noqa: ARG002 — all alike
        trace_state: TraceState | None = None,  # noqa: ARG002 — what begins a trace has none
    ) -> SamplingResult:
        wanted = kind in {SpanKind.SERVER, SpanKind.PRODUCER}
        return SamplingResult(Decision.RECORD_AND_SAMPLE if wanted else Decision.DROP, attributes)

    def get_description(self) -> str:
        return "CallsAndJobs"


class _WithoutWords(SpanExporter):
    """Omits exceptions' messages, which may quote a row or a message; their types stay."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([_without_words(span) for span in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _without_words(span: ReadableSpan) -> ReadableSpan:
    types = [event.attributes["exception.type"] for event in span.events if event.attributes]
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={**(span.attributes or {}), **({"error.type": types[-1]} if types else {})},
        links=span.links,
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
    )
