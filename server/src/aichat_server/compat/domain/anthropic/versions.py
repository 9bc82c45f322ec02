"""The versions of Anthropic's API."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from aichat_server.core.errors import invalid_request

VERSION_HEADER = "anthropic-version"


class Version(StrEnum):
    """A version, as clients name it."""

    FIRST = "2023-06-01"
    STRICT = "2026-10-21"
    """It takes no sampling parameters, no documents in answers, and no citations on what users write."""


def told_version(headers: Mapping[str, str]) -> str:
    """Returns the version that a request names, known or not. Raises REQUEST_INVALID if it names none."""
    if (told := headers.get(VERSION_HEADER)) is None:
        raise invalid_request(VERSION_HEADER, "header is required")
    return told


def version_of(headers: Mapping[str, str]) -> Version:
    """Returns the version that a request is written in. Raises REQUEST_INVALID if it names none or an unknown one."""
    told = told_version(headers)
    try:
        return Version(told)
    except ValueError:
        known = " or ".join(Version)
        raise invalid_request(VERSION_HEADER, f"{told!r} is not a valid version: send {known}") from None
