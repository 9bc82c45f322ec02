"""Failures as OpenAI's clients understand them."""

from __future__ import annotations

import json

import pytest
from aichat_server.compat.rpc.openai.errors import OpenAIErrors, limit_headers, of_responses, told_of
from aichat_server.core.errors import AichatError, Reason, invalid_request
from aichat_server.limits.domain.limits import LimitName
from aichat_server.limits.domain.standings import Standing

ERRORS = OpenAIErrors()
LIMITED = {"name": "tokens_per_minute", "limit": "100", "remaining": "3"}


@pytest.mark.parametrize(
    ("error", "told", "headers"),
    [
        (AichatError(Reason.CREDENTIALS_INVALID, "no"), (401, "invalid_request_error", "invalid_api_key", None), {}),
        (invalid_request("n", "is 2"), (400, "invalid_request_error", "invalid_value", "n"), {}),
        (
            AichatError(Reason.MODEL_UNKNOWN, "no"),
            (404, "invalid_request_error", "model_not_found", "model"),
            {"x-should-retry": "false"},
        ),
        (
            AichatError(Reason.QUOTA_EXCEEDED, "no", retry_after=9),
            (429, "insufficient_quota", "insufficient_quota", None),
            {"x-should-retry": "false"},
        ),
        (
            AichatError(Reason.REQUEST_ID_REUSED, "no"),
            (409, "invalid_request_error", "idempotency_key_reused", None),
            {"x-should-retry": "false"},
        ),
        (
            AichatError(Reason.RATE_LIMITED, "no", retry_after=6.2, metadata=LIMITED),
            (429, "tokens", "rate_limit_exceeded", None),
            {
                "retry-after": "7",
                "retry-after-ms": "6200",
                "x-ratelimit-limit-tokens": "100",
                "x-ratelimit-remaining-tokens": "3",
                "x-ratelimit-reset-tokens": "7s",
            },
        ),
        (AichatError(Reason.REQUEST_TOO_LARGE, "no"), (413, "invalid_request_error", "request_too_large", None), {}),
        (
            AichatError(Reason.PROVIDER_OVERLOADED, "no", retry_after=2),
            (503, "server_error", "server_is_overloaded", None),
            {"retry-after": "2", "retry-after-ms": "2000"},
        ),
        (AichatError(Reason.ANSWER_REFUSED, "no"), (400, "invalid_request_error", "content_filter", None), {}),
    ],
)
def test_a_failure_has_its_status_type_code_and_headers(
    error: AichatError, told: tuple[object, ...], headers: dict[str, str]
) -> None:
    refusal = ERRORS.refusal(error, "r")
    body = json.loads(refusal.body)["error"]
    assert (refusal.status, body["type"], body["code"], body["param"]) == told
    assert refusal.headers == headers
    event = json.loads(ERRORS.last_event(error, "r").removeprefix(b"data: "))
    assert event == {"type": "error", "error": body} | {name: body[name] for name in ("code", "message", "param")}


def test_every_reason_has_a_status() -> None:
    assert all(400 <= told_of(AichatError(reason, "no")).status < 600 for reason in Reason)


def test_clients_find_the_words_that_they_look_for() -> None:
    limited = AichatError(Reason.RATE_LIMITED, "no", retry_after=6.2, metadata=LIMITED)
    assert b"try again in 7s" in ERRORS.refusal(limited, "r").body
    metadata = {"model": "m", "input_tokens": "11", "context_window": "10"}
    long = ERRORS.refusal(AichatError(Reason.CONTEXT_EXCEEDED, "too long", metadata=metadata), "r")
    assert b"maximum context length is 10 tokens" in long.body
    assert json.loads(long.body)["error"]["code"] == "context_length_exceeded"


def test_codex_reads_which_plan_has_reached_its_limit_and_until_when() -> None:
    metadata = {"reset_time": "2026-12-01T00:00:00+00:00"}
    quota = of_responses(AichatError(Reason.QUOTA_EXCEEDED, "no", metadata=metadata), "team")
    body = json.loads(ERRORS.refusal(quota, "r").body)["error"]
    assert (body["type"], body["code"]) == ("usage_limit_reached", "insufficient_quota")
    assert (body["plan_type"], body["resets_at"]) == ("team", 1796083200)
    other = AichatError(Reason.MODEL_UNKNOWN, "no")
    assert of_responses(other, "team") is other


@pytest.mark.parametrize(
    ("reason", "param"), [(Reason.PART_UNSUPPORTED, "input"), (Reason.ANSWER_INVALID, "text.format")]
)
def test_responses_have_other_names_for_parameters(reason: Reason, param: str) -> None:
    told = of_responses(AichatError(reason, "no"), "team")
    assert json.loads(ERRORS.refusal(told, "r").body)["error"]["param"] == param


def test_an_admitted_call_tells_what_is_left() -> None:
    assert limit_headers(Standing(LimitName.REQUESTS, 60)) == {"x-ratelimit-limit-requests": "60"}
    assert limit_headers(Standing(LimitName.TOKENS, 100, 0)) == {
        "x-ratelimit-limit-tokens": "100",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "1m1s",
    }
