"""An organisation's file, and the errors about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aichat_server.content.parts import StoredFile
from aichat_server.core.errors import AichatError, FieldViolation, Reason


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file, and where its bytes are."""

    file: StoredFile
    object_id: UUID
    created_at: datetime
    """When the organisation first stored it."""


def file_not_found(sha256: str) -> AichatError:
    """Returns the error for a file that the organisation does not have."""
    message = f"no file has the id {sha256}; upload it first"
    return AichatError(Reason.FILE_NOT_FOUND, message, metadata={"file_id": sha256})


def file_invalid(field: str, problem: str) -> AichatError:
    """Returns the error for a file that models cannot be shown. `field`: where the request has it; empty: all of it."""
    violations = [FieldViolation(field, problem)] if field else []
    return AichatError(Reason.FILE_INVALID, f"{field or 'the file'} {problem}", violations=violations)
