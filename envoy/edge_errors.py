"""Maps each HTTP status that the edge itself answers with to an error of the contract."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2

ERROR_DOMAIN = "aichat.v1"
MAX_HEADER_KIB = 60


@dataclass(frozen=True, slots=True)
class EdgeError:
    """An error that Envoy answers by itself, in the contract's form."""

    http: int
    """The status that Envoy, a route or a filter sets."""
    code: int
    reason: str
    """The name of an `aichat.v1.ErrorReason`."""
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    and_above: bool = False
    """Whether it also stands for every higher HTTP status without an error of its own."""
    explained: bool = False
    """Whether Envoy's own message follows in JSON: it says what is wrong, and where."""
    shown: int = 0
    """The HTTP status that callers get instead; 0: `http` itself."""
    unknown: str = ""
    """Applies only to calls whose credentials the server does not know ("yes") or could not check ("unsure")."""
    path: str = ""
    """The path that it applies to, as a regular expression; empty for all."""
    retry_after: int = 0
    """Seconds after which the same call may succeed; 0 if unknown."""

    @property
    def op(self) -> str:
        """The operator that compares a status with `http`."""
        return "GE" if self.and_above else "EQ"

    @property
    def json_message(self) -> str:
        """The message for JSON clients."""
        return f"{self.message}: %LOCAL_REPLY_BODY%" if self.explained else self.message

    @property
    def json_details(self) -> list[dict[str, object]]:
        """The error's details as JSON."""
        kind = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": self.reason, "domain": ERROR_DOMAIN}
        wait = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retry_delay": f"{self.retry_after}s"}
        info: dict[str, object] = {**kind, "metadata": dict(self.metadata)}
        return [info, {**wait}] if self.retry_after else [info]

    @property
    def details_bin(self) -> str:
        """The error as the value of the header `grpc-status-details-bin`."""
        status = status_pb2.Status(code=self.code, message=self.message)
        status.details.add().Pack(
            error_details_pb2.ErrorInfo(reason=self.reason, domain=ERROR_DOMAIN, metadata=self.metadata)
        )
        if self.retry_after:
            status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=self.retry_after)))
        return base64.b64encode(status.SerializeToString()).decode().rstrip("=")


def errors(limits: Mapping[str, int], limit: int) -> list[EdgeError]:
    """Returns all errors; the first that matches a status applies.

    `limits` are the body limits by path, `limit` is the limit of all other paths.
    """
    return [_UNKNOWN, _UNSURE, *(_too_large(most, path) for path, most in limits.items()), _too_large(limit), *_ERRORS]


def _too_large(limit: int, path: str = "") -> EdgeError:
    message = f"the request's body is larger than {limit} bytes"
    metadata = {"limit_bytes": str(limit)}
    return EdgeError(413, code_pb2.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE", message, metadata, path=path)


_UNKNOWN = EdgeError(
    413,
    code_pb2.UNAUTHENTICATED,
    "CREDENTIALS_INVALID",
    "the credentials are malformed, unknown or expired; sign in again or create a new key",
    shown=401,
    unknown="yes",
)
_UNSURE = EdgeError(
    413,
    code_pb2.UNAVAILABLE,
    "SERVER_UNAVAILABLE",
    "no server could check the credentials, and the edge reads no more of the call before that",
    shown=503,
    unknown="unsure",
    retry_after=1,
)
_ERRORS = (
    EdgeError(
        401,
        code_pb2.UNAUTHENTICATED,
        "CREDENTIALS_MISSING",
        "the call has no credentials; send `authorization: Bearer <API key or session token>`",
    ),
    EdgeError(404, code_pb2.NOT_FOUND, "ROUTE_UNKNOWN", "the path does not exist"),
    EdgeError(
        405,
        code_pb2.UNIMPLEMENTED,
        "ROUTE_UNKNOWN",
        "the path does not accept this method; the header `allow` lists those that it accepts",
    ),
    EdgeError(408, code_pb2.DEADLINE_EXCEEDED, "REQUEST_MALFORMED", "the request did not arrive in time"),
    EdgeError(
        415,
        code_pb2.INVALID_ARGUMENT,
        "REQUEST_MALFORMED",
        "send uncompressed JSON with content-type: application/json",
    ),
    EdgeError(
        422,
        code_pb2.INVALID_ARGUMENT,
        "REQUEST_INVALID",
        "the request is not valid",
        explained=True,
        shown=400,
    ),
    EdgeError(
        431,
        code_pb2.INVALID_ARGUMENT,
        "METADATA_TOO_LARGE",
        f"the request's headers are larger than {MAX_HEADER_KIB} KiB",
        {"limit_bytes": str(MAX_HEADER_KIB * 1024)},
    ),
    EdgeError(
        501,
        code_pb2.UNIMPLEMENTED,
        "ROUTE_UNKNOWN",
        "the method does not exist; compare its name with the contract's",
        shown=404,
    ),
    EdgeError(
        502,
        code_pb2.UNAVAILABLE,
        "SERVER_UNAVAILABLE",
        "no server can serve the call, or the server disappeared during it",
        and_above=True,
        # Envoy finds the healthy servers within that time.
        retry_after=1,
    ),
    EdgeError(
        500, code_pb2.INTERNAL, "INTERNAL", "the edge failed; its log has the call's x-request-id", and_above=True
    ),
    EdgeError(400, code_pb2.INVALID_ARGUMENT, "REQUEST_MALFORMED", "malformed request", and_above=True, explained=True),
)
