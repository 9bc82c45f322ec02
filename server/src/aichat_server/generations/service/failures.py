"""What callers hear about an answer that broke off, as it happens and when it is told again.

Where words had come they are stored, and the request_id stays theirs: the same call gets the same end again. Where none
had, nothing is left, and the same call starts again.
"""

from __future__ import annotations

from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.storage.turns import EarlierTurn, TurnBegun


def failed(*, words: bool) -> AichatError:
    """A fault of ours; `words`: whether any of the answer had come."""
    return AichatError(Reason.INTERNAL, f"the server failed while it wrote the answer; {_what_works(words=words)}")


def interrupted(turn: TurnBegun, *, words: bool) -> AichatError:
    """The server shut down before the answer's end."""
    message = f"the server shut down before the answer's end; {_what_works(words=words)}"
    return AichatError(Reason.SERVER_DRAINING, message, metadata=_ids(turn))


def lost(*, words: bool) -> AichatError:
    """The server died before the answer's end; `stored_failure` tells callers of it."""
    message = f"the server that wrote the answer was lost before its end; {_what_works(words=words)}"
    return AichatError(Reason.SERVER_LOST, message)


def cancelled(turn: TurnBegun, *, words: bool) -> AichatError:  # noqa: ARG001 — it was what somebody wanted
    """A caller stopped the answer."""
    metadata = {"generation_id": str(turn.generation_id)}
    return AichatError(Reason.GENERATION_CANCELLED, "the answer was cancelled", metadata=metadata)


def not_stored() -> AichatError:
    """The database was away to the end of the server that wrote the answer; the workers end it later."""
    message = "the answer could not be stored before its server shut down; send the same call again shortly"
    return AichatError(Reason.STORAGE_UNAVAILABLE, message, retry_after=1.0)


def stored_failure(turn: EarlierTurn) -> AichatError | None:
    """The failure that the answer ended with, as it was told then; None if it did not fail."""
    if turn.error_reason is None:
        return None
    message = turn.error_message or "the answer broke off"
    return AichatError(turn.error_reason, message, metadata=_metadata(turn, turn.error_reason))


def _metadata(turn: EarlierTurn, reason: Reason) -> dict[str, str]:
    """What goes with the reason, all of which is known of the turn."""
    match reason:
        case Reason.GENERATION_CANCELLED:
            return {"generation_id": str(turn.generation_id)}
        case Reason.SERVER_DRAINING | Reason.SERVER_LOST:
            return _ids(turn)
        case Reason.PROVIDER_MODEL_MISSING:
            return {"provider": turn.provider, "model": turn.model}
        case Reason.ANSWER_REFUSED:
            return {"provider": turn.provider}
        case _:
            return {"provider": turn.provider} if reason.startswith("PROVIDER_") else {}


def _ids(turn: TurnBegun | EarlierTurn) -> dict[str, str]:
    return {"generation_id": str(turn.generation_id), "conversation_id": str(turn.conversation_id)}


def _what_works(*, words: bool) -> str:
    return "what had come is stored: ask again with a new request_id" if words else "send it again"
