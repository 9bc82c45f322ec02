"""What OpenAI refuses in both of its APIs, in its words."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .asked import Offered

REASONING = ("gpt-5", "gpt-6", "o1", "o3", "o4")
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
IMAGES = re.compile(r"data:image/(?:png|jpeg|webp|gif);base64,([A-Za-z0-9+/]+=*)")
FILES = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,([A-Za-z0-9+/]+=*)")
MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF", b"GIF8")
IMAGE_TOKENS = 70
"""Of an image; OpenAI counts no fewer for any."""
PAGE_TOKENS = 200
"""Of a document."""
TIERS = ("auto", "default", "flex", "priority")


def reasons(model: str) -> bool:
    """Whether the model reasons."""
    return model.startswith(REASONING)


def known(body: Mapping[str, Any], names: frozenset[str]) -> None:
    """Raises ValueError for a parameter that is none of `names`."""
    for name in body:
        if name not in names:
            raise ValueError(f"Unknown parameter: '{name}'.")


def supported(body: Mapping[str, Any], model: str, *of_others: str) -> None:
    """Raises ValueError for a parameter of `of_others`, which models that reason do not have."""
    for name in of_others if reasons(model) else ():
        if name in body:
            raise ValueError(f"Unsupported parameter: '{name}' is not supported with this model.")
    if body.get("service_tier", "auto") not in TIERS:
        raise ValueError(f"Invalid value: '{body['service_tier']}'. Supported values are: 'auto', 'default', …")


def offered(functions: Iterable[Mapping[str, Any]], choice: object) -> tuple[tuple[Offered, ...], bool]:
    """Returns the tools that may be called, and whether one must be. Raises ValueError if OpenAI refuses them.

    `functions`: each with its name, parameters and whether it is strict; `choice`: a mode, or a function's name in a
    mapping.
    """
    tools = []
    for function in functions:
        if not NAME.fullmatch(function["name"]):
            raise ValueError(f"Invalid 'tools[0].name': '{function['name']}' does not match '^[a-zA-Z0-9_-]+$'.")
        parameters = function.get("parameters")
        if not isinstance(parameters, Mapping) or parameters.get("type") != "object":
            raise ValueError(f"Invalid schema for function '{function['name']}': schema must be of type 'object'.")
        if function.get("strict"):
            check_strict(parameters, f"function '{function['name']}'")
        tools.append(Offered(function["name"], parameters))
    if choice is not None and not tools and choice not in ("auto", "none"):
        raise ValueError("Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.")
    if isinstance(choice, Mapping):
        chosen = tuple(tool for tool in tools if tool.name == choice["name"])
        if not chosen:
            raise ValueError(f"Tool choice '{choice['name']}' not found in 'tools' parameter.")
        return chosen, True
    return (() if choice == "none" else tuple(tools)), choice == "required"


def check_strict(schema: object, where: str) -> None:
    """Raises ValueError if a strict schema has an object that is open, or whose fields need not all be there."""
    if not isinstance(schema, Mapping):
        return
    if schema.get("type") == "object" or "properties" in schema:
        if schema.get("additionalProperties") is not False:
            raise ValueError(f"Invalid schema for {where}: 'additionalProperties' must be supplied and be false.")
        if set(schema.get("required", ())) != set(schema.get("properties", ())):
            raise ValueError(f"Invalid schema for {where}: 'required' must include every key in properties.")
    inner = [one for name in ("properties", "$defs", "definitions") for one in schema.get(name, {}).values()]
    for one in (*inner, schema.get("items"), *schema.get("anyOf", ())):
        check_strict(one, where)


def answer_schema(shape: Mapping[str, Any] | None) -> Any:
    """Returns the schema of the answer; None for text. Raises ValueError if OpenAI refuses it."""
    if shape is None:
        return None
    if not NAME.fullmatch(shape["name"]):
        raise ValueError(f"Invalid 'name': '{shape['name']}' does not match '^[a-zA-Z0-9_-]+$'.")
    if shape.get("strict"):
        check_strict(shape["schema"], f"response_format '{shape['name']}'")
    return shape["schema"]


def check_image(url: object) -> None:
    """Raises ValueError unless it is a public address or an image."""
    if isinstance(url, str) and url.startswith("https://"):
        return
    found = IMAGES.fullmatch(url) if isinstance(url, str) else None
    if found is None:
        raise ValueError("Invalid 'image_url'. Expected a valid URL, but got a value with an invalid format.")
    if not base64.b64decode(found[1]).startswith(MAGIC):
        raise ValueError("The image data you provided does not represent a valid image.")


def check_file(file: Mapping[str, Any]) -> None:
    """Raises ValueError unless it is a public address, or a file with its name."""
    if str(file.get("file_url", "")).startswith("https://"):
        return
    if not FILES.fullmatch(str(file.get("file_data", ""))):
        raise ValueError("Invalid 'file_data'. Expected a base64-encoded data URL with a MIME type.")
    if not file.get("filename"):
        raise ValueError("Missing required parameter: 'filename'.")
