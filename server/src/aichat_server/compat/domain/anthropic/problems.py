"""Failures in the words of Anthropic's API: its clients read some of them, and know the fields by other names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from aichat_server.core.errors import AichatError, Reason

_OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "stop": "stop_sequences",
        "reasoning_effort": "thinking",
        "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
        "response_format": "output_config.format",
        "web_search": "tools",
        "web_search.allowed_domains": "tools",
        "max_output_tokens": "max_tokens",
    }
)
"""By the platform's name of an option, the field that asks for it."""
_FIELDS = (
    (re.compile(r"^options\.tools\[(\d+)\]\.parameters"), r"tools.\1.input_schema"),
    (re.compile(r"^options\.response_format\.json_schema"), "output_config.format.schema"),
    (re.compile(r"^options\."), ""),
    (re.compile(r"\[(\d+)\]"), r".\1"),
)
"""How fields are named here, by what the platform calls them."""


def problem_of(error: AichatError) -> str:
    """Returns what is wrong, and with which field."""
    match error.reason:
        case Reason.CONTEXT_EXCEEDED:
            return _too_long(error)
        case Reason.OPTION_UNSUPPORTED if (name := error.metadata.get("option", "")) in _OPTIONS:
            field = _OPTIONS[name]
            return f"{field}: {error.message.replace(f'leave {name} out', f'leave {field} out')}"
        case Reason.OPTION_UNSUPPORTED if error.violations:
            field = error.violations[0].field
            return error.message.replace(field, _field(field), 1)
        case Reason.MODEL_UNKNOWN:
            return f"model: {error.metadata.get('model', '')}"
        case Reason.REQUEST_INVALID | Reason.FILE_INVALID if error.violations:
            violation = error.violations[0]
            return f"{_field(violation.field)}: {violation.description}" if violation.field else error.message
        case _:
            return error.message


def _field(name: str) -> str:
    for pattern, own in _FIELDS:
        name = pattern.sub(own, name)
    return name


def _too_long(error: AichatError) -> str:
    told = [error.metadata.get(name, "") for name in ("input_tokens", "context_window", "max_output_tokens")]
    if not all(map(str.isdecimal, told)):
        return error.message
    asked, most, answer = map(int, told)
    if asked > most:
        return f"prompt is too long: {asked} tokens > {most} maximum"
    limit = f"input length and `max_tokens` exceed context limit: {asked} + {answer} > {most}"
    return f"{limit}, decrease input length or `max_tokens` and try again"
