"""What both of OpenAI's APIs say of tools, schemas and effort, in the platform's terms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from aichat_server.compat.domain.openai.parts import plain
from aichat_server.core.errors import AichatError, FieldViolation, Reason, invalid_request
from aichat_server.models.domain.models import ServiceTier
from aichat_server.providers.domain.requests import ReasoningEffort, ResponseFormat, Tool, ToolChoiceMode

MOST_TOOLS = 128
ANY_OBJECT = '{"type":"object"}'
"""The schema of JSON mode."""

_MODES: Mapping[str, ToolChoiceMode] = MappingProxyType(
    {"auto": ToolChoiceMode.AUTO, "none": ToolChoiceMode.NONE, "required": ToolChoiceMode.REQUIRED}
)
_EFFORTS: Mapping[str, ReasoningEffort] = MappingProxyType(
    {
        "none": ReasoningEffort.NONE,
        "minimal": ReasoningEffort.LOW,
        "low": ReasoningEffort.LOW,
        "medium": ReasoningEffort.MEDIUM,
        "high": ReasoningEffort.HIGH,
        "xhigh": ReasoningEffort.HIGH,
        "max": ReasoningEffort.HIGH,
    }
)
"""Each of OpenAI's efforts, and the one next to it."""
_TIERS: Mapping[str, ServiceTier] = MappingProxyType(
    {
        "auto": ServiceTier.STANDARD,
        "default": ServiceTier.STANDARD,
        "flex": ServiceTier.FLEX,
        "priority": ServiceTier.PRIORITY,
        "fast": ServiceTier.PRIORITY,
    }
)
# In words, since no other vendor has an option for it.
_VERBOSITIES: Mapping[str, str] = MappingProxyType(
    {"low": "Keep the text of your answers short.", "medium": "", "high": "Answer at length and in detail."}
)
_TOOL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_SCHEMA_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_DESCRIPTION_BYTES, _MOST_SCHEMA_BYTES = 16_384, 65_536
_NOTHING = (b"", b"null", b"false", b"{}", b"[]")


def is_told(value: msgspec.Raw) -> bool:
    """Whether a value was sent that is not the same as none."""
    return bytes(value) not in _NOTHING


def with_verbosity(instructions: str, told: str | None, field: str) -> str:
    """Returns the instructions and how much the model is to write. Raises REQUEST_INVALID with the field."""
    if told is None:
        return instructions
    if told not in _VERBOSITIES:
        raise invalid_request(field, f"must be one of {', '.join(_VERBOSITIES)}")
    return "\n\n".join(filter(None, (instructions, _VERBOSITIES[told])))


def sampling(told: float | None) -> float | None:
    """Returns a temperature or top_p; None for 1, which is every vendor's default: some models take no other."""
    return None if told == 1 else told


def tool(name: str, description: str | None, parameters: msgspec.Raw, field: str) -> Tool:
    """Returns a function that the model may call. Raises REQUEST_INVALID with the field."""
    if not _TOOL_NAME.fullmatch(name):
        raise invalid_request(f"{field}.name", 'must be 1 to 64 letters, digits, "_" or "-", and begin with a letter')
    told = plain(description or "", f"{field}.description")
    if len(told.encode()) > _MOST_DESCRIPTION_BYTES:
        raise invalid_request(f"{field}.description", f"must have at most {_MOST_DESCRIPTION_BYTES} bytes")
    return Tool(name, told, schema_text(parameters, f"{field}.parameters"))


def schema_text(schema: msgspec.Raw, field: str) -> str:
    """Returns a schema as it was sent; empty if there is none. Raises REQUEST_INVALID with the field."""
    raw = bytes(schema)
    if len(raw) > _MOST_SCHEMA_BYTES:
        raise invalid_request(field, f"must have at most {_MOST_SCHEMA_BYTES} bytes")
    return raw.decode(errors="replace") if is_told(schema) else ""


def schema_format(name: str, schema: msgspec.Raw, field: str) -> ResponseFormat:
    """Returns the form of an answer that follows a schema. Raises REQUEST_INVALID with the field."""
    if not _SCHEMA_NAME.fullmatch(name):
        raise invalid_request(f"{field}.name", 'must be 1 to 64 letters, digits, "_" or "-"')
    text = schema_text(schema, f"{field}.schema")
    if not text:
        raise invalid_request(f"{field}.schema", "must be a JSON Schema of an object")
    return ResponseFormat(text, name)


def mode_of(told: str, field: str) -> ToolChoiceMode:
    """Returns what a word says of calling tools. Raises REQUEST_INVALID."""
    if told not in _MODES:
        raise invalid_request(field, f"must be one of {', '.join(_MODES)}")
    return _MODES[told]


def effort_of(told: str | None, field: str) -> ReasoningEffort | None:
    """Returns the platform's effort; None if none is told. Raises REQUEST_INVALID."""
    if told is not None and told not in _EFFORTS:
        raise invalid_request(field, f"must be one of {', '.join(_EFFORTS)}")
    return _EFFORTS[told] if told is not None else None


def tier_of(told: str | None) -> ServiceTier | None:
    """Returns the class of service; None if none is told. Raises OPTION_UNSUPPORTED."""
    if told is not None and told not in _TIERS:
        raise refuse("service_tier", f"choose one of {', '.join(_TIERS)}")
    return _TIERS[told] if told is not None else None


def refuse(field: str, why: str) -> AichatError:
    """Returns OPTION_UNSUPPORTED for what these APIs know and this platform does not carry. `why` says what to do."""
    violation = FieldViolation(field, why)
    return AichatError(
        Reason.OPTION_UNSUPPORTED,
        f"{field} is not supported: {why}",
        metadata={"option": field},
        violations=(violation,),
    )


Names = Iterable[tuple[re.Pattern[str], str]]
"""Patterns of the platform's names for fields and options, and what an API calls them. The first match counts."""


def told_as(error: AichatError, names: Names) -> AichatError:
    """Returns an error about a request with the API's own names of its fields."""
    fields = [violation.field for violation in error.violations] or [error.metadata.get("option", "")]
    if error.reason not in (Reason.REQUEST_INVALID, Reason.OPTION_UNSUPPORTED) or not any(fields):
        return error
    names, message, violations = tuple(names), error.message, list[FieldViolation]()
    for field in fields:
        told = next((pattern.sub(name, field) for pattern, name in names if pattern.search(field)), field)
        message = message.replace(field, told)
        violations.append(FieldViolation(told, error.message))
    return AichatError(error.reason, message, metadata=error.metadata, violations=violations)
