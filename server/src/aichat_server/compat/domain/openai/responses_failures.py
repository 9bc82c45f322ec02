"""Failures inside of responses: their codes, which Codex acts on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from aichat_server.core.errors import AichatError, Reason

_CODES: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.CONTEXT_EXCEEDED: "context_length_exceeded",
        Reason.QUOTA_EXCEEDED: "insufficient_quota",
        Reason.FREE_PLAN_EXHAUSTED: "insufficient_quota",
        Reason.MODEL_NOT_IN_PLAN: "usage_not_included",
        Reason.RATE_LIMITED: "rate_limit_exceeded",
        Reason.PROVIDER_RATE_LIMITED: "rate_limit_exceeded",
        Reason.ANSWER_REFUSED: "invalid_prompt",
        Reason.PROVIDER_REQUEST_REJECTED: "invalid_prompt",
    }
)


def failure_json(error: AichatError) -> dict[str, str]:
    """Returns code and message. Clients wait for as long as the message says."""
    code = _CODES.get(error.reason, "server_error")
    wait = error.retry_after if code == "rate_limit_exceeded" else None
    words = f" Please try again in {math.ceil(wait)}s." if wait is not None else ""
    return {"code": code, "message": f"{error.message}{words}"}
