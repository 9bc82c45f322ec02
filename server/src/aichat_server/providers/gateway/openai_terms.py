"""What OpenAI's two APIs have in common: its models' ways, strict schemas, and how parts are written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from openai.types import ReasoningEffort as VendorEffort

from aichat_server.content.parts import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Link,
    Role,
    StoredFile,
    TextPart,
    ToolCallPart,
    text_of,
)
from aichat_server.models.domain.models import ServiceTier
from aichat_server.providers.domain.requests import ReasoningEffort
from aichat_server.providers.gateway.body import Base64File

# The models that can turn reasoning off; the lowest level of the others is "low".
MAY_NOT_REASON = ("gpt-5.", "gpt-6-luna", "gpt-6-sol", "gpt-6.1-terra")
TIERS = {ServiceTier.STANDARD: "default", ServiceTier.FLEX: "flex", ServiceTier.PRIORITY: "priority"}
PDF = "application/pdf"
MOST_ID_CHARACTERS = 64
FAILED = "The tool failed."
"""Precedes the result of a tool that failed: OpenAI has no field for it."""

_STRICT_KEYS = frozenset({
    "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs",
    "definitions", "description", "title", "pattern", "format", "multipleOf", "maximum", "exclusiveMaximum", "minimum",
    "exclusiveMinimum", "minItems", "maxItems",
})  # fmt: skip

_NO_FIELDS = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


def effort(model: str, wanted: ReasoningEffort) -> VendorEffort:
    """Returns the level that is closest to `wanted`."""
    if wanted is ReasoningEffort.NONE and not model.startswith(MAY_NOT_REASON):
        return "low"
    return wanted.value


def tier(wanted: ServiceTier | None) -> Any:
    """Returns OpenAI's name of a class of service; the standard one unless another is wanted.

    A project may have set a dearer one than the price list is for.
    """
    return TIERS[wanted or ServiceTier.STANDARD]


def schema_of(text: str) -> dict[str, Any]:
    """Returns a JSON Schema from its text; empty text is an object without fields."""
    schema: dict[str, Any] = json.loads(text) if text else {**_NO_FIELDS}
    return schema


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Whether OpenAI can hold a model to `schema`: its root is an object, and so on as in `_allows_strict`."""
    return schema.get("type") == "object" and "anyOf" not in schema and _allows_strict(schema)


def _allows_strict(schema: object) -> bool:
    """Whether each object requires all of its fields and allows no others, and all else is known to strict schemas."""
    if not isinstance(schema, Mapping) or not schema.keys() <= _STRICT_KEYS:
        return False
    fields = schema.get("properties", {})
    if "properties" in schema or schema.get("type") == "object" or "object" in _listed(schema.get("type")):
        closed = schema.get("additionalProperties") is False and set(schema.get("required", ())) == set(fields)
        if not closed:
            return False
    inner = [*fields.values(), *schema.get("anyOf", ())]
    inner += [one for name in ("$defs", "definitions") for one in schema.get(name, {}).values()]
    inner += [schema["items"]] if "items" in schema else []
    return all(map(_allows_strict, inner))


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def call_id(own: str) -> str:
    """Returns the id of a call, shortened to what OpenAI takes: other vendors' may be longer."""
    return own if len(own) <= MOST_ID_CHARACTERS else hashlib.sha256(own.encode()).hexdigest()


def arguments(call: ToolCallPart) -> str:
    """Returns a call's arguments as JSON of an object: templates of many models read it."""
    try:
        told = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        told = None
    return call.arguments or "{}" if isinstance(told, dict) else json.dumps({"arguments": call.arguments})


def result_text(parts: Iterable[Any], *, is_error: bool) -> str:
    """Returns the text of a tool's result."""
    text = text_of(parts, Role.USER)
    return "\n\n".join(filter(None, (FAILED, text))) if is_error else text


def image_url(image: ImagePart) -> str | Base64File:
    """Returns an image's own address, or one that has its bytes."""
    return image.source.url if isinstance(image.source, Link) else data_url(image.source)


def data_url(file: StoredFile) -> Base64File:
    """Returns an address that has the file's bytes."""
    return Base64File(file, f"data:{file.media_type};base64,")


def audio(part: AudioPart) -> dict[str, Any]:
    """Returns sound, in the form of both APIs."""
    kind = "wav" if "wav" in part.source.media_type else "mp3"
    return {"type": "input_audio", "input_audio": {"data": Base64File(part.source), "format": kind}}


def file_name(document: DocumentPart) -> str:
    """Returns a name for a PDF, which OpenAI demands."""
    name = document.title or "document"
    return name if name.lower().endswith(".pdf") else f"{name}.pdf"


def titled(document: DocumentPart) -> str:
    """Returns what introduces a document of text; empty without a title."""
    return f"{document.title}:" if document.title else ""


def are_texts(parts: Iterable[object]) -> bool:
    """Whether the parts are text alone."""
    return all(isinstance(part, TextPart) for part in parts)
