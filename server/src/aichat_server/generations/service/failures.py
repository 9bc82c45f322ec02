"""The errors of answers that broke off, for callers that wait for them and for callers that ask again.

If text had arrived, it is kept, and the request_id stays claimed: the same call gets the same end again. If not,
nothing is left, and the same call starts again.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.generation import Known

Names = Mapping[str, str]
"""What the metadata of an error says about the place of the answer."""


def failed(*, words: bool) -> AichatError:
    """A fault of ours. `words`: whether any text of the answer had arrived."""
    return AichatError(Reason.INTERNAL, f"the server failed while it wrote the answer; {_what_works(words=words)}")


def interrupted(generation_id: UUID, names: Names, *, words: bool) -> AichatError:
    """The server shut down before the answer's end."""
    message = f"the server shut down before the answer's end; {_what_works(words=words)}"
    return AichatError(Reason.SERVER_DRAINING, message, metadata=_metadata(generation_id, names))


def lost(*, words: bool) -> AichatError:
    """The server died before the answer's end. Callers get it by `stored_failure`."""
    message = f"the server that wrote the answer was lost before its end; {_what_works(words=words)}"
    return AichatError(Reason.SERVER_LOST, message)


def cancelled(generation_id: UUID, _names: Names, *, words: bool) -> AichatError:  # noqa: ARG001 — somebody wanted it
    """A caller stopped the answer."""
    metadata = {"generation_id": str(generation_id)}
    return AichatError(Reason.GENERATION_CANCELLED, "the answer was cancelled", metadata=metadata)


def invalid(generation_id: UUID, provider: str, names: Names, fault: str) -> AichatError:
    """The answer is whole, but does not follow the request's schema. It is stored if there is a place for it."""
    stored = ", and is stored as it is" if names else ""
    message = f"the answer does not follow response_format{stored}: {fault}"
    metadata = {"provider": provider, **_metadata(generation_id, names)}
    return AichatError(Reason.ANSWER_INVALID, message, metadata=metadata)


def reused(request_id: UUID) -> AichatError:
    """The request id belongs to another request."""
    text = "this request_id was used with other parameters; take a new one for a new message"
    return AichatError(Reason.REQUEST_ID_REUSED, text, metadata={"request_id": str(request_id)})


def in_progress(generation_id: UUID) -> AichatError:
    """The answer is written where this process cannot reach it."""
    text = "another replica is still writing this answer and cannot be reached; send the same call again shortly"
    metadata = {"generation_id": str(generation_id)}
    return AichatError(Reason.GENERATION_IN_PROGRESS, text, metadata=metadata, retry_after=1.0)


def not_stored() -> AichatError:
    """The database was away until the server ended. The workers end the answer later."""
    message = "the answer could not be stored before its server shut down; send the same call again shortly"
    return AichatError(Reason.STORAGE_UNAVAILABLE, message, retry_after=1.0)


def stored_failure(known: Known, names: Names) -> AichatError | None:
    """Returns the failure that the answer ended with, as callers were told then; None if it did not fail."""
    if known.error_reason is None:
        return None
    message = known.error_message or "the answer broke off"
    return AichatError(known.error_reason, message, metadata=_stored_metadata(known, known.error_reason, names))


def _stored_metadata(known: Known, reason: Reason, names: Names) -> dict[str, str]:
    match reason:
        case Reason.GENERATION_CANCELLED:
            return {"generation_id": str(known.generation_id)}
        case Reason.SERVER_DRAINING | Reason.SERVER_LOST:
            return _metadata(known.generation_id, names)
        case Reason.ANSWER_INVALID:
            return {"provider": known.provider, **_metadata(known.generation_id, names)}
        case Reason.PROVIDER_MODEL_MISSING:
            return {"provider": known.provider, "model": known.model}
        case Reason.ANSWER_REFUSED:
            return {"provider": known.provider}
        case _:
            return {"provider": known.provider} if reason.startswith("PROVIDER_") else {}


def _metadata(generation_id: UUID, names: Names) -> dict[str, str]:
    return {"generation_id": str(generation_id), **names}


def _what_works(*, words: bool) -> str:
    return "what had come is stored: ask again with a new request_id" if words else "send it again"
