"""The types of settings' values, each with a message that says what is wrong."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from email.policy import SMTP
from typing import Annotated

from pydantic import AfterValidator, AnyUrl, BeforeValidator, Field, HttpUrl, SecretStr, UrlConstraints, ValidationError

MAX_PORT = 65535

_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_KEY = re.compile(r"[\x21-\x7e]+")
_ORIGIN = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?")
_FILES = re.compile(r"s3://[a-z0-9][a-z0-9.-]*(/[^?#\s]*)?|file:///[^?#\s]+")
_DSN = re.compile(r"https?://[^/?#\s@:]+(:[^/?#\s@]*)?@[^/?#\s@]+(/[^?#\s]*)?/\d+")


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return value


def _decode(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"this is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None


def _check_base_url(value: str) -> str:
    try:
        HttpUrl(value)
    except ValidationError:
        well = False
    else:
        well = re.fullmatch(r"https?://[^?#\s]+", value) is not None
    if not well:
        raise ValueError("write it as https://host, followed by the path, if any")
    return value


def _check_files_url(value: str) -> str:
    if not _FILES.fullmatch(value):
        raise ValueError("write it as s3://bucket/prefix, or as file:///folder")
    return value


def _check_origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value):
        raise ValueError("write each as https://host or https://host:port, and nothing else")
    return value


def _check_key(value: SecretStr) -> SecretStr:
    if not _KEY.fullmatch(value.get_secret_value()):
        raise ValueError("this is not a key: it has a space, or a character that is not ASCII")
    return value


def _check_address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not (_HOST.fullmatch(host) and re.fullmatch("[0-9]{1,5}", port)) or int(port) > MAX_PORT:
        raise ValueError(f"write it as host:port, for example 127.0.0.1:9464, with a port up to {MAX_PORT}")
    return value


def _check_sender(value: str) -> str:
    header = SMTP.header_factory("from", value)
    if len(header.addresses) != 1 or header.defects or not header.addresses[0].domain:
        raise ValueError("write it as `name@example.com` or `Name <name@example.com>`")
    return value


def _check_dsn(value: SecretStr) -> SecretStr:
    if not _DSN.fullmatch(value.get_secret_value()):
        raise ValueError("this is not a DSN: Sentry shows it as https://KEY@HOST/PROJECT")
    return value


Json = BeforeValidator(_decode)
CommaSeparated = Annotated[tuple[str, ...], BeforeValidator(_split)]
Address = Annotated[str, AfterValidator(_check_address)]
Addresses = Annotated[tuple[Address, ...], BeforeValidator(_split)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_check_origin)], ...], BeforeValidator(_split)]
BaseUrl = Annotated[str, AfterValidator(_check_base_url)]
FilesUrl = Annotated[str, AfterValidator(_check_files_url)]
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000_000, decimal_places=9)]
SmtpUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["smtp", "smtps"], host_required=True)]
Sender = Annotated[str, AfterValidator(_check_sender)]
Key = Annotated[SecretStr, AfterValidator(_check_key)]
"""The value of a header."""
SentryDsn = Annotated[SecretStr, AfterValidator(_check_dsn)]
