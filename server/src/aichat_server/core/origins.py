"""Origins of web pages: scheme, host and port of an address."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from aichat_server.core.errors import AichatError, FieldViolation, Reason

_PORTS = {"http": 80, "https": 443}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def origin_of(address: str) -> str | None:
    """Returns the address's origin as browsers write it; None if it is not HTTP, or is ambiguous."""
    parts = _split(address)
    if parts is None or parts.hostname is None:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if parts.netloc.lower() not in (host, f"{host}:{parts.port}"):
        return None
    port = "" if parts.port in (None, _PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


@dataclass(frozen=True, slots=True)
class ReturnPages:
    """The pages that external pages may redirect to."""

    origins: Collection[str]
    loopback: bool
    """Whether pages of the caller's own machine are allowed."""

    def check(self, **addresses: str) -> None:
        """Raises REQUEST_INVALID if one of the addresses, given by their fields' names, is not allowed."""
        violations = [
            FieldViolation(field, "must be a page of an origin that this server's operator allows")
            for field, address in addresses.items()
            if not self._allow(address)
        ]
        if violations:
            fields = ", ".join(violation.field for violation in violations)
            message = f"{fields}: no page that may be led back to; the operator allows origins in AICHAT_RETURN_ORIGINS"
            raise AichatError(Reason.REQUEST_INVALID, message, violations=violations)

    def _allow(self, address: str) -> bool:
        origin = origin_of(address)
        if origin is None:
            return False
        return origin in self.origins or (self.loopback and is_loopback(origin))


def is_loopback(origin: str) -> bool:
    """Whether the origin is the caller's own machine."""
    return origin_of(origin) == origin and urlsplit(origin).hostname in _LOOPBACK


def origins_of(addresses: Iterable[str]) -> frozenset[str]:
    """Returns the origins of those addresses that have one."""
    return frozenset(filter(None, map(origin_of, addresses)))


def _split(address: str) -> SplitResult | None:
    if not address.isprintable() or " " in address or "\\" in address:
        return None
    try:
        parts = urlsplit(address)
        # The port is only parsed, and checked, when it is read.
        known = parts.scheme in _PORTS and parts.port != 0
    except ValueError:
        return None
    return parts if known else None
