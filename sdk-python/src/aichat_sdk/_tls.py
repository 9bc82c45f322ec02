"""Whom a client trusts, and how it proves who it is."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from aichat_sdk.errors import ConfigurationError

PEM = str | os.PathLike[str] | bytes
"""A path, or the bytes of such a file."""


@dataclass(frozen=True, slots=True)
class TLS:
    """Certificates, each as a path or as bytes in PEM. `AIChat(secure=TLS(ca="ca.pem"))` uses them.

    They are read when the client connects, and checked when it is made.
    """

    ca: PEM | None = None
    """Who may sign the platform's certificate; None: the authorities that gRPC knows."""
    certificate: PEM | None = None
    """The client's own certificate, for platforms that ask for one; needs `key`."""
    key: PEM | None = field(default=None, repr=False)
    """The certificate's private key, without a password."""

    def check(self) -> None:
        """Raises ConfigurationError, naming the file, if one cannot be used."""
        if (self.certificate is None) != (self.key is None):
            raise ConfigurationError("secure.certificate and secure.key belong together: give both")
        if authorities := _read("ca", self.ca, b"CERTIFICATE"):
            try:
                ssl.create_default_context(cadata=authorities.decode())
            except (ssl.SSLError, ValueError) as error:
                raise ConfigurationError(f"secure.ca holds no certificates: {error}") from error
        _read("certificate", self.certificate, b"CERTIFICATE")
        if b"ENCRYPTED" in _read("key", self.key, b"PRIVATE KEY"):
            raise ConfigurationError("secure.key must have no password")

    def credentials(self) -> grpc.ChannelCredentials:
        """Returns what gRPC needs; raises ConfigurationError if a file cannot be read."""
        ca, certificate = _read("ca", self.ca, b"CERTIFICATE"), _read("certificate", self.certificate, b"CERTIFICATE")
        key = _read("key", self.key, b"PRIVATE KEY")
        return grpc.ssl_channel_credentials(ca or None, key or None, certificate or None)


def _read(name: str, pem: object, kind: bytes) -> bytes:
    """Returns the bytes; empty for None."""
    if pem is None:
        return b""
    if not isinstance(pem, str | os.PathLike | bytes):
        raise ConfigurationError(f"secure.{name} must be a path or bytes, not {type(pem).__name__}")
    if not isinstance(pem, bytes) and "-----BEGIN" in str(pem):
        # As a path, it would be in the message of the failure: also a private key.
        raise ConfigurationError(f"secure.{name} must be a path or bytes: call encode() on what the file holds")
    try:
        data = pem if isinstance(pem, bytes) else Path(pem).read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"secure.{name} cannot be read: {error}") from error
    if kind + b"-----" not in data:
        raise ConfigurationError(f"secure.{name} holds no {kind.decode().lower()} in PEM")
    return data
