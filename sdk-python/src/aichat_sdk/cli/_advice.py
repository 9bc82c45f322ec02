"""Says in one line what went wrong and how to fix it."""

from __future__ import annotations

from aichat_sdk.errors import (
    AIChatError,
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    ServerError,
    UnavailableError,
)

BY_REASON = {
    "MODEL_UNKNOWN": "`aichat models` lists the models",
    "GENERATION_NOT_RESUMABLE": "`aichat conversations` lists where it is stored",
    "CONVERSATION_NOT_FOUND": "`aichat conversations` lists the conversations",
}
BY_KIND: dict[type[AIChatError], str] = {
    ConfigurationError: "give --endpoint HOST:PORT and --api-key KEY, set AICHAT_ENDPOINT and AICHAT_API_KEY, or "
    "run it below the directory of `make run`",
    AuthenticationError: "check --api-key or AICHAT_API_KEY",
    ConnectionFailedError: "check that the platform is running and that the endpoint is right",
    ServerError: "if it happens again, report it",
}


def advice(error: AIChatError) -> str:
    """Returns the error's message, the fields that are wrong, and what to do."""
    parts = [error.message]
    broken = [f"{violation.field} {violation.description}" for violation in error.violations]
    parts += [rule for rule in broken if rule not in error.message]
    if error.retry_after is not None:
        parts.append(f"retry in {error.retry_after:.0f} s")
    hint = BY_REASON.get(error.reason or "") or _where_it_is_stored(error) or _by_kind(error)
    if hint:
        parts.append(hint)
    line = "; ".join(parts)
    return f"{line} (request {error.request_id})" if isinstance(error, ServerError) and error.request_id else line


def _by_kind(error: AIChatError) -> str | None:
    if isinstance(error, ConfigurationError) and not any(word in error.message for word in ("endpoint", "API key")):
        # The message names another setting, and says what it takes.
        return None
    return BY_KIND.get(type(error))


def _where_it_is_stored(error: AIChatError) -> str | None:
    """Returns where to find an answer that continues without the broken connection; None if it is no such error."""
    lost = isinstance(error, UnavailableError) and error.reason in (None, "SERVER_UNAVAILABLE")
    if not lost or error.conversation_id is None:
        return None
    return f"the server continues and stores the answer: `aichat conversations show {error.conversation_id}`"
