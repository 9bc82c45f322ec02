"""Idempotency keys, as Stripe documents them.

For 24 hours a key returns the result of its first request, an object or a failure. Requests that fail their checks
leave no result. A key belongs to one path and one set of parameters, and allows one request at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .failures import CallFailedError, invalid
from .world import Object

KEPT_SECONDS = 24 * 3600
LONGEST_KEY = 255


@dataclass(slots=True)
class Keys:
    """The used keys."""

    now: Callable[[], int]
    kept: dict[str, Object] = field(default_factory=dict)
    """The request and its result, by key."""
    in_use: set[str] = field(default_factory=set)

    @contextmanager
    def using(self, key: str) -> Iterator[None]:
        """Locks the key while its request runs."""
        if len(key) > LONGEST_KEY:
            raise invalid(f"Idempotency keys are at most {LONGEST_KEY} characters long.")
        if key in self.in_use:
            raise CallFailedError(
                409,
                f"There is currently another in-progress request using this Idempotent Key (that probably means you "
                f"submitted twice, and the other request is still going through): {key}. Please try again later.",
                kind="idempotency_error",
                code="idempotency_key_in_use",
            )
        self.in_use.add(key)
        try:
            yield
        finally:
            self.in_use.discard(key)

    def find(self, key: str, path: str, params: dict[str, Any]) -> tuple[int, Object, bool] | None:
        """Returns the status and body of the key's first request, and True for executed; None if this is the first."""
        found = self.kept.get(key)
        if found is None or self.now() - found["at"] >= KEPT_SECONDS:
            return None
        if found["path"] != path:
            raise _mismatch("for the same endpoint they were first used for", key, f" ('{path}' vs '{found['path']}')")
        if found["params"] != params:
            raise _mismatch("with the same parameters they were first used with", key)
        return found["status"], found["body"], True

    def keep(self, key: str, path: str, params: dict[str, Any], status: int, body: Object) -> None:
        """Stores the result of the key's first request."""
        self.kept[key] = {"at": self.now(), "path": path, "params": params, "status": status, "body": body}


def _mismatch(how: str, key: str, detail: str = "") -> CallFailedError:
    message = (
        f"Keys for idempotent requests can only be used {how}{detail}. "
        f"Try using a key other than '{key}' if you meant to execute a different request."
    )
    return CallFailedError(400, message, kind="idempotency_error", executed=False)
