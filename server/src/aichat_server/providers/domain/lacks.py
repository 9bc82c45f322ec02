"""What a request asks for, and a model cannot do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from aichat_server.content.parts import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Link,
    Part,
    ToolResultPart,
)
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.texts import is_blank
from aichat_server.models.domain.models import Model, ModelAbilities, ServiceTier
from aichat_server.providers.domain.requests import ChatOptions


class Needs(NamedTuple):
    """What a request asks of a model."""

    options: ChatOptions
    parts: frozenset[str] = frozenset()
    """The kinds of parts besides text, "url" if one of them is to be read from a URL, and "gif" if one is a GIF."""


class Lack(NamedTuple):
    """What a model cannot do that a request asks for."""

    reason: Reason
    name: str
    """The option or the kind of part."""
    text: str
    """Says what the model cannot do, and what to do about it."""


def needs_of(options: ChatOptions, parts: Iterable[Part]) -> Needs:
    """Returns what a message asks of a model."""
    return Needs(options, frozenset(_kinds(parts)))


def _kinds(parts: Iterable[Part]) -> Iterable[str]:
    for part in parts:
        match part:
            case ImagePart(source) | DocumentPart(source):
                yield "image" if isinstance(part, ImagePart) else "document"
                if isinstance(source, Link):
                    yield "url"
                elif source.media_type == "image/gif":
                    yield "gif"
            case AudioPart():
                yield "audio"
            case ToolResultPart(parts=inner):
                yield from _kinds(inner)
            case _:
                """Text, which all models read."""


class _Option(NamedTuple):
    name: str
    asked: Callable[[ChatOptions], bool]
    can: Callable[[ModelAbilities], bool]
    text: str


_OPTIONS = (
    _Option("temperature", lambda o: o.temperature is not None, lambda a: a.temperature, "takes no temperature"),
    _Option("stop", lambda o: bool(o.stop), lambda a: a.stop, "takes no stop sequences"),
    _Option(
        "stop",
        lambda o: any(map(is_blank, o.stop)),
        lambda a: a.blank_stop,
        "takes no stop sequence of white space alone",
    ),
    _Option("top_p", lambda o: o.top_p is not None, lambda a: a.top_p, "takes no top_p"),
    _Option("seed", lambda o: o.seed is not None, lambda a: a.seed, "takes no seed"),
    _Option("reasoning_effort", lambda o: o.reasoning_effort is not None, lambda a: a.reasoning, "does not reason"),
    _Option("tools", lambda o: bool(o.tools), lambda a: a.tools, "calls no tools"),
    _Option(
        "parallel_tool_calls",
        lambda o: o.parallel_tool_calls is False,
        lambda a: a.parallel_tool_calls,
        "cannot be told to call one tool at a time",
    ),
    _Option(
        "response_format",
        lambda o: o.response_format is not None,
        lambda a: a.response_format,
        "cannot keep to a JSON Schema",
    ),
    _Option("web_search", lambda o: o.web_search is not None, lambda a: a.web_search, "does not search the web"),
    _Option(
        "web_search.allowed_domains",
        lambda o: o.web_search is not None and bool(o.web_search.allowed_domains),
        lambda a: a.search_domains,
        "cannot limit its search to domains",
    ),
    _Option(
        "web_search",
        lambda o: bool(o.tools) and o.web_search is not None,
        lambda a: a.mixes,
        "does not search while it may call tools",
    ),
    _Option(
        "response_format",
        lambda o: bool(o.tools) and o.response_format is not None,
        lambda a: a.mixes,
        "cannot keep to a JSON Schema while it may call tools",
    ),
)
_PARTS = {
    "image": "reads no images",
    "document": "reads no documents",
    "audio": "hears no audio",
    "gif": "reads no GIF: send a PNG or JPEG",
    "url": "reads nothing from a URL: send the bytes",
}


def lack_of(model: Model, needs: Needs) -> Lack | None:
    """Returns the first thing that the model cannot do; None if it can do all."""
    options, can = needs.options, model.abilities
    if model.embedding is not None:
        return Lack(Reason.MODEL_UNSUITABLE, "model", "makes embeddings, and does not chat: ask another model")
    for option in _OPTIONS:
        if option.asked(options) and not option.can(can):
            return Lack(Reason.OPTION_UNSUPPORTED, option.name, f"{option.text}: leave {option.name} out")
    tier = options.service_tier
    if tier not in (None, ServiceTier.STANDARD) and tier not in dict(can.service_tiers):
        return Lack(Reason.OPTION_UNSUPPORTED, "service_tier", f"is not sold in the class {tier}: leave it out")
    if (options.max_output_tokens or 0) > model.max_output_tokens:
        text = f"writes at most {model.max_output_tokens} tokens: ask for no more"
        return Lack(Reason.OPTION_UNSUPPORTED, "max_output_tokens", text)
    readable = {kind.value for kind in can.reads} | ({"url"} if can.urls else set()) | ({"gif"} if can.gifs else set())
    unreadable = sorted(needs.parts - readable)
    return Lack(Reason.PART_UNSUPPORTED, unreadable[0], _PARTS[unreadable[0]]) if unreadable else None


def refusal(model: Model, lack: Lack, able: Iterable[str]) -> AichatError:
    """Returns the error for what a model lacks; `able`: the ids of models that lack nothing."""
    models = ",".join(able)
    other = f", or ask one of {models}" if models else "; your plan offers no other model that can"
    metadata = {"model": model.id, **_named(lack), "models": models}
    return AichatError(lack.reason, f"{model.id} {lack.text}{other}", metadata=metadata)


def _named(lack: Lack) -> Mapping[str, str]:
    """Returns what the metadata of an error says about it."""
    match lack.reason:
        case Reason.OPTION_UNSUPPORTED:
            return {"option": lack.name}
        case Reason.PART_UNSUPPORTED:
            return {"part": lack.name}
        case _:
            return {}
