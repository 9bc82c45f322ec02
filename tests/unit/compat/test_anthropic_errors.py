"""Failures as Anthropic's clients understand them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from aichat_server.compat.rpc.anthropic.errors import AnthropicErrors, limit_headers
from aichat_server.core.errors import AichatError, Reason, invalid_request
from aichat_server.limits.domain.limits import LimitName
from aichat_server.limits.domain.standings import RESET_SECONDS, Standing

ERRORS = AnthropicErrors()
STOPS = {"x-should-retry": "false"}
LESS = "decrease input length or `max_tokens` and try again"
LIMITED = {"name": "tokens_per_minute", "limit": "100", "remaining": "3", "reset_time": "2026-11-26T00:00:00.000+00:00"}
TOO_LONG = {"model": "m", "context_window": "100", "max_output_tokens": "30"}


def unsupported(option: str, text: str) -> AichatError:
    return AichatError(Reason.OPTION_UNSUPPORTED, text, metadata={"option": option})


@pytest.mark.parametrize(
    ("error", "status", "kind", "headers"),
    [
        (AichatError(Reason.CREDENTIALS_INVALID, "no"), 401, "authentication_error", {}),
        (AichatError(Reason.QUOTA_EXCEEDED, "no"), 402, "billing_error", STOPS),
        (AichatError(Reason.FREE_PLAN_EXHAUSTED, "no"), 402, "billing_error", STOPS),
        (AichatError(Reason.MODEL_NOT_IN_PLAN, "no"), 403, "permission_error", {}),
        (AichatError(Reason.MODEL_UNKNOWN, "no"), 404, "not_found_error", STOPS),
        (AichatError(Reason.REQUEST_ID_REUSED, "no"), 409, "invalid_request_error", STOPS),
        (AichatError(Reason.REQUEST_TOO_LARGE, "no"), 413, "request_too_large", {}),
        (
            AichatError(Reason.RATE_LIMITED, "no", retry_after=6.2, metadata=LIMITED),
            429,
            "rate_limit_error",
            {
                "retry-after": "7",
                "retry-after-ms": "6200",
                "anthropic-ratelimit-tokens-limit": "100",
                "anthropic-ratelimit-tokens-remaining": "3",
                "anthropic-ratelimit-tokens-reset": LIMITED["reset_time"],
            },
        ),
        (AichatError(Reason.INTERNAL, "no"), 500, "api_error", {}),
        (AichatError(Reason.PROVIDER_STREAM_BROKEN, "no"), 500, "api_error", {}),
        (AichatError(Reason.ANSWER_INVALID, "no"), 500, "api_error", STOPS),
        (AichatError(Reason.PROVIDER_TIMEOUT, "no"), 504, "timeout_error", {}),
        (AichatError(Reason.PROVIDER_OVERLOADED, "no"), 529, "overloaded_error", {}),
    ],
)
def test_a_failure_has_its_status_type_and_headers(
    error: AichatError, status: int, kind: str, headers: dict[str, str]
) -> None:
    refusal = ERRORS.refusal(error, "r")
    told = json.loads(refusal.body)
    assert (refusal.status, told["type"], told["error"]["type"], told["request_id"]) == (status, "error", kind, "r")
    assert refusal.headers == headers
    event = ERRORS.last_event(error, "r")
    assert event == b"event: error\ndata: " + refusal.body + b"\n\n"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (invalid_request("options.tools[1].parameters", "is no schema"), "tools.1.input_schema: is no schema"),
        (invalid_request("options.response_format.json_schema", "no"), "output_config.format.schema: no"),
        (invalid_request("tool_choice.name", "must be"), "tool_choice.name: must be"),
        (unsupported("stop", "m takes no: leave stop out"), "stop_sequences: m takes no: leave stop_sequences out"),
        (unsupported("reasoning_effort", "m: leave reasoning_effort out"), "thinking: m: leave thinking out"),
        (
            AichatError(Reason.CONTEXT_EXCEEDED, "no", metadata={**TOO_LONG, "input_tokens": "80"}),
            f"input length and `max_tokens` exceed context limit: 80 + 30 > 100, {LESS}",
        ),
        (
            AichatError(Reason.CONTEXT_EXCEEDED, "no", metadata={**TOO_LONG, "input_tokens": "180"}),
            "prompt is too long: 180 tokens > 100 maximum",
        ),
        (AichatError(Reason.CONTEXT_EXCEEDED, "told before"), "told before"),
    ],
)
def test_a_failure_names_the_field_in_words_that_clients_know(error: AichatError, message: str) -> None:
    assert json.loads(ERRORS.refusal(error, "r").body)["error"]["message"] == message


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_status_that_is_an_error(reason: Reason) -> None:
    assert 400 <= ERRORS.refusal(AichatError(reason, "no"), "r").status < 600


def test_an_admitted_call_tells_what_is_left() -> None:
    assert limit_headers(Standing(LimitName.REQUESTS, 60)) == {"anthropic-ratelimit-requests-limit": "60"}
    earliest = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=RESET_SECONDS)
    told = dict(limit_headers(Standing(LimitName.TOKENS, 100, 0)))
    reset = told.pop("anthropic-ratelimit-tokens-reset")
    assert told == {"anthropic-ratelimit-tokens-limit": "100", "anthropic-ratelimit-tokens-remaining": "0"}
    assert reset.endswith("Z")
    assert datetime.fromisoformat(reset) >= earliest
