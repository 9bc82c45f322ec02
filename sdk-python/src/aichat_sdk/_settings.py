"""Settings of the client: arguments first, then the environment."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from aichat_sdk._checking import wrong_integer, wrong_number, wrong_text
from aichat_sdk._keys import Keys
from aichat_sdk._tls import TLS
from aichat_sdk.errors import ConfigurationError

_ENDPOINT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")
_PROXY = re.compile(r"http://([^\s/@]+@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}/?")
_NAME = re.compile(r"[a-z0-9_.-]{1,128}")
_VALUE = re.compile(r"[ -~]{0,4096}")
_HIGHEST_PORT = 65535
_MOST_METADATA = 32
# The platform takes as many of all headers together.
_MOST_METADATA_BYTES = 16384
# The client writes these itself. gRPC keeps names that begin with grpc- for itself, and -bin ones for bytes.
_TAKEN = ("authorization", "user-agent", "content-type", "te", "host")


@dataclass(frozen=True, slots=True)
class Target:
    """Where the platform is, and how to connect to it."""

    endpoint: str
    tls: TLS | None
    """None: without encryption."""
    proxy: str | None = field(default=None, repr=False)
    """None: what the environment says."""
    channel_options: Mapping[str, str | int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.tls is not None:
            self.tls.check()
        _check_proxy(self.proxy)
        _check_options(self.channel_options)

    def proxy_options(self) -> dict[str, str | int]:
        """Returns the options of gRPC about proxies."""
        if self.proxy:
            return {"grpc.http_proxy": self.proxy.removesuffix("/")}
        # A proxy from the environment cannot reach this machine.
        return {"grpc.enable_http_proxy": 0} if self.proxy == "" or is_loopback(self.endpoint) else {}


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How calls are made. Times are in seconds."""

    endpoint: str
    keys: Keys = field(repr=False)
    timeout: float
    stall_timeout: float
    max_retries: int
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("timeout", "stall_timeout"):
            seconds = getattr(self, name)
            if wrong := wrong_number(seconds) or ("" if seconds > 0 else f"must be above 0, not {seconds}"):
                raise ConfigurationError(f"{name} {wrong}, in seconds")
        if wrong := wrong_integer(self.max_retries, 0, 2**31):
            raise ConfigurationError(f"max_retries {wrong}")
        _check_metadata(self.metadata)


def resolve_endpoint(endpoint: str | None) -> str:
    """Returns the given endpoint, or AICHAT_ENDPOINT; raises ConfigurationError if it is missing or malformed."""
    if endpoint is not None and not isinstance(endpoint, str):
        raise ConfigurationError(f"endpoint must be str, not {type(endpoint).__name__}")
    endpoint = endpoint or os.environ.get("AICHAT_ENDPOINT")
    if not endpoint:
        raise ConfigurationError('no endpoint: pass endpoint="host:port" or set AICHAT_ENDPOINT')
    found = _ENDPOINT.fullmatch(endpoint)
    if found is None:
        raise ConfigurationError(f'the endpoint must be "host:port", without a scheme or a path, not {endpoint!r}')
    if not 1 <= int(found["port"]) <= _HIGHEST_PORT:
        # gRPC would call another port.
        raise ConfigurationError(f"the endpoint's port must be from 1 to {_HIGHEST_PORT}, not {found['port']}")
    return endpoint


def resolve_tls(secure: bool | TLS | None, endpoint: str) -> TLS | None:
    """Returns the certificates to use, None for no encryption; raises ConfigurationError for another type."""
    match secure:
        case TLS():
            return secure
        case None:
            return None if is_loopback(endpoint) else TLS()
        case bool():
            return TLS() if secure else None
    raise ConfigurationError(f"secure must be bool or TLS, not {type(secure).__name__}")


def is_loopback(endpoint: str) -> bool:
    """Whether the endpoint is on this machine; calls to it use no TLS by default."""
    host = endpoint.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def merged(metadata: Mapping[str, str], more: Mapping[str, str]) -> Mapping[str, str]:
    """Returns the metadata with more of it; raises ConfigurationError if that cannot be sent."""
    _check_metadata(more)
    return {**metadata, **more}


def _check_proxy(proxy: object) -> None:
    if proxy not in (None, "") and not (isinstance(proxy, str) and _PROXY.fullmatch(proxy)):
        raise ConfigurationError('proxy must be "http://host:port", with "user:password@" if it asks for them')


def _check_options(options: object) -> None:
    if not isinstance(options, Mapping):
        raise ConfigurationError(f"channel_options must be a dict, not {type(options).__name__}")
    for name, value in options.items():
        if not isinstance(name, str) or not isinstance(value, str | int):
            raise ConfigurationError(f"channel_options[{name!r}] must be str or int")
        if wrong := wrong_text(value) if isinstance(value, str) else wrong_integer(int(value), -(2**31), 2**31):
            raise ConfigurationError(f"channel_options[{name!r}] {wrong}")


def _check_metadata(metadata: object) -> None:
    if not isinstance(metadata, Mapping):
        raise ConfigurationError(f"metadata must be a dict, not {type(metadata).__name__}")
    if len(metadata) > _MOST_METADATA:
        raise ConfigurationError(f"metadata has {len(metadata)} entries, at most {_MOST_METADATA} can be sent")
    for name, value in metadata.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigurationError(f'metadata has the name {name!r}: it takes a-z, 0-9, "_", "-" and "."')
        if name in _TAKEN or name.startswith("grpc-") or name.endswith("-bin"):
            raise ConfigurationError(f"metadata must not have {name}, which the client or gRPC writes")
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise ConfigurationError(f"metadata[{name!r}] must be str of at most 4096 printable ASCII characters")
    size = sum(len(name) + len(value) for name, value in metadata.items())
    if size > _MOST_METADATA_BYTES:
        raise ConfigurationError(f"metadata has {size} bytes, at most {_MOST_METADATA_BYTES} can be sent")
