"""Writes an OpenAPI document as one page of HTML without scripts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

HERE = Path(__file__).resolve().parent


def page(document: dict[str, Any]) -> str:
    """Returns the page."""
    templates = Environment(
        loader=FileSystemLoader(HERE), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    templates.filters |= {"text": _text, "kind": _kind, "bounds": _bounds}
    operations = [
        {"path": path, "verb": verb.upper(), **operation}
        for path, verbs in document["paths"].items()
        for verb, operation in verbs.items()
    ]
    return templates.get_template("reference.html.j2").render(document=document, operations=operations)


def _text(text: str) -> Markup:
    """Returns a comment of the contract, whose paragraphs stay apart and whose code looks like code."""
    paragraphs = [re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(part))) for part in text.split("\n\n")]
    return Markup("".join(f"<p>{paragraph}</p>" for paragraph in paragraphs if paragraph))  # noqa: S704 — escaped above


def _kind(schema: dict[str, Any]) -> Markup:
    """Returns what a value is, with a link to its schema."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#{0}">{0}</a>').format(name)
    if "items" in schema:
        return Markup("list of ") + _kind(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        return Markup("map to ") + _kind(schema["additionalProperties"])
    kind = schema.get("type", "any value")
    return escape(schema.get("format") or (kind if isinstance(kind, str) else " or ".join(kind)))


def _bounds(schema: dict[str, Any]) -> str:
    """Returns the rules of a value."""
    names = {"minimum": "≥", "maximum": "≤", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
    counts = {"minLength": "at least {} characters", "maxLength": "at most {} characters"}
    counts |= {"minItems": "at least {}", "maxItems": "at most {}"}
    told = [f"{sign} {schema[name]}" for name, sign in names.items() if name in schema]
    told += [words.format(schema[name]) for name, words in counts.items() if name in schema]
    return ", ".join(told)
