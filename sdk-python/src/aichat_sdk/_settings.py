"""Settings of the client: arguments first, then the environment."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field

from aichat_sdk._checking import wrong_number
from aichat_sdk.errors import ConfigurationError

_ENDPOINT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")
_API_KEY = re.compile(r"[!-~]{1,8192}")


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How the client reaches the platform. Times are in seconds."""

    endpoint: str
    api_key: str = field(repr=False)
    secure: bool
    timeout: float
    stall_timeout: float
    max_retries: int

    def __post_init__(self) -> None:
        for name in ("timeout", "stall_timeout"):
            if wrong := wrong_number(getattr(self, name)):
                raise ConfigurationError(f"{name} {wrong}, in seconds")
        kinds = {"secure": bool, "max_retries": int}
        for name, kind in kinds.items():
            if not isinstance(getattr(self, name), kind):
                raise ConfigurationError(f"{name} must be {kind.__name__}, not {type(getattr(self, name)).__name__}")


def resolve_endpoint(endpoint: str | None) -> str:
    """Returns the given endpoint, or AICHAT_ENDPOINT; raises ConfigurationError if it is missing or malformed."""
    if endpoint is not None and not isinstance(endpoint, str):
        raise ConfigurationError(f"endpoint must be str, not {type(endpoint).__name__}")
    endpoint = endpoint or os.environ.get("AICHAT_ENDPOINT")
    if not endpoint:
        raise ConfigurationError('no endpoint: pass endpoint="host:port" or set AICHAT_ENDPOINT')
    if not _ENDPOINT.fullmatch(endpoint):
        raise ConfigurationError(f'the endpoint must be "host:port", without a scheme or a path, not {endpoint!r}')
    return endpoint


def resolve_api_key(api_key: str | None) -> str:
    """Returns the given API key, or AICHAT_API_KEY; raises ConfigurationError, without the key, if it cannot be one."""
    if api_key is not None and not isinstance(api_key, str):
        raise ConfigurationError(f"api_key must be str, not {type(api_key).__name__}")
    api_key = (api_key or os.environ.get("AICHAT_API_KEY") or "").strip()
    if not api_key:
        raise ConfigurationError("no API key: pass api_key=… or set AICHAT_API_KEY")
    if not _API_KEY.fullmatch(api_key):
        raise ConfigurationError("the API key is too long, or holds invalid characters: copy it again")
    return api_key


def is_loopback(endpoint: str) -> bool:
    """Whether the endpoint is on this machine; calls to it use no TLS by default."""
    host = endpoint.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
