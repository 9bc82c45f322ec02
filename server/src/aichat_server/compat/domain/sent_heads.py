"""What is read of a request that goes to its vendor as it was sent: which model, how much, and what may cost more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Any

import msgspec

from aichat_server.compat.domain.bodies import JsonBody
from aichat_server.core.errors import AichatError, FieldViolation, Reason, invalid_request
from aichat_server.models.domain.models import ServiceTier
from aichat_server.providers.domain.verbatim import VendorApi

# With less than nothing, some endpoints mean that there is no limit.
_Tokens = Annotated[int, msgspec.Meta(ge=0)]
_Uses = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class SentTool(msgspec.Struct):
    """A tool that the request offers."""

    type: Any = None
    max_uses: _Uses | None = None
    allowed_callers: Any = None
    environment: Any = None
    tools: list[Any] | None = None


class _Usage(msgspec.Struct):
    include_usage: bool | None = None


class SentHead(msgspec.Struct):
    """The fields that any of the APIs has for the same."""

    model: str
    stream: bool | None = None
    stream_options: _Usage | None = None
    max_tokens: _Tokens | None = None
    max_completion_tokens: _Tokens | None = None
    max_output_tokens: _Tokens | None = None
    max_tool_calls: _Uses | None = None
    service_tier: str | None = None
    tools: list[SentTool] | None = None
    input: msgspec.Raw = msgspec.Raw()

    @property
    def limit(self) -> int | None:
        """The most tokens of the answer that the caller wants."""
        return self.max_completion_tokens or self.max_output_tokens or self.max_tokens

    @property
    def tier(self) -> ServiceTier | None:
        """The class of service that is asked for; None for the standard one. Raises ValueError for an unknown one."""
        told = self.service_tier
        return None if told in (None, "auto", "default", "standard_only") else ServiceTier(told)

    def offered(self) -> list[tuple[str, SentTool]]:
        """Returns the tools with their places, also those that items of Responses add. Raises REQUEST_INVALID."""
        own = [(f"tools[{n}]", tool) for n, tool in enumerate(self.tools or ())]
        if bytes(memoryview(self.input)[:1]) != b"[":
            return own
        try:
            items = _ITEMS.decode(self.input)
            added = {n: msgspec.convert(item.tools, list[SentTool]) for n, item in enumerate(items) if item.adds}
        except msgspec.ValidationError as error:
            raise invalid_request("input", f"is not valid: {error}") from None
        return own + [(f"input[{n}].tools[{m}]", tool) for n, tools in added.items() for m, tool in enumerate(tools)]

    def searches(self, offered: Iterable[tuple[str, SentTool]], default: int) -> int:
        """Returns how often the model may search the web; `default` if the caller does not say."""
        wanted = [tool for _, tool in offered if str(tool.type).startswith(WEB_SEARCH)]
        most = [tool.max_uses or self.max_tool_calls or default for tool in wanted]
        return max(most, default=0)


class _Item(msgspec.Struct):
    type: Any = None
    tools: Any = None

    @property
    def adds(self) -> bool:
        """Whether the model may call its tools from there on."""
        return self.type in ("additional_tools", "tool_search_output") and self.tools is not None


_ITEMS = msgspec.json.Decoder(list[_Item])
WEB_SEARCH = "web_search"
_PROGRAMS_SINCE = "web_search_20260000"
"""Later searches of Anthropic's are made by programs in a container, unless that is forbidden."""

_FIELDS: Mapping[VendorApi, tuple[str, ...]] = MappingProxyType(
    {
        VendorApi.MESSAGES: (
            "container", "mcp_servers", "speed", "inference_geo", "fallbacks", "fallback_credit_token",
            "billing_policy", "thread",
        ),
        VendorApi.RESPONSES: ("prompt",),
        VendorApi.CHAT_COMPLETIONS: (
            "n", "audio", "modalities", "web_search_options",
            # Of compatible endpoints: other models, searches and other extras.
            "models", "fallbacks", "route", "plugins", "search_parameters",
        ),
    }
)  # fmt: skip
"""The fields that may cost what is not priced, or that name what is stored in the operator's account."""
_REFUSED: Mapping[VendorApi, tuple[str, ...]] = MappingProxyType(
    {VendorApi.MESSAGES: (), VendorApi.RESPONSES: (), VendorApi.CHAT_COMPLETIONS: ("logprobs", "top_logprobs")}
)
_FREE_VALUES: Mapping[str, tuple[object, ...]] = MappingProxyType(
    {
        "speed": ("standard",),
        # The readers of answers price these.
        "inference_geo": ("us", "global"),
        "n": (1,),
        "modalities": (["text"],),
    }
)
_FREE_TOOLS: Mapping[VendorApi, tuple[str, ...]] = MappingProxyType(
    {
        # The caller runs these, or they cost their tokens alone.
        VendorApi.MESSAGES: (
            "custom", "bash", "text_editor", "memory", "computer", "tool_search_tool_bm25", "tool_search_tool_regex",
            WEB_SEARCH,
        ),
        VendorApi.RESPONSES: (
            "function", "custom", "local_shell", "shell", "apply_patch", "tool_search", "namespace", WEB_SEARCH,
            "web_search_2025_08",
        ),
        VendorApi.CHAT_COMPLETIONS: ("function", "custom"),
    }
)  # fmt: skip


def check_priced(
    body: JsonBody,
    head: SentHead,
    offered: Iterable[tuple[str, SentTool]],
    api: VendorApi,
    allowed: frozenset[str],
) -> None:
    """Raises OPTION_UNSUPPORTED for the first thing that may cost what is not priced.

    `allowed`: the names of fields, and of tools without their dates, that cost nothing here whatever the vendor
    charges.
    """
    for name in _REFUSED[api]:
        if _is_set(name, body):
            text = f"{name} is not supported: leave it out"
            raise AichatError(Reason.OPTION_UNSUPPORTED, text, violations=(FieldViolation(name, text),))
    for name in _FIELDS[api]:
        if name not in allowed and _is_set(name, body):
            raise _unpriced(head.model, name)
    for place, tool in offered:
        _check_tool(tool, place, head.model, (*allowed, *_FREE_TOOLS[api]))
    if head.service_tier is not None and "service_tier" not in allowed:
        _check_tier(head)


def _check_tool(tool: SentTool, place: str, model: str, allowed: Collection[str]) -> None:
    kind = tool.type if isinstance(tool.type, str) else "custom"
    name = _undated(kind)
    if name not in allowed:
        raise _unpriced(model, f"{place}.type", name)
    if tool.tools and not all(_is_function(inner) for inner in tool.tools):
        raise _unpriced(model, f"{place}.tools", name)
    if _has_container(tool, kind) and "container" not in allowed:
        field = "environment" if kind == "shell" else "allowed_callers"
        raise _unpriced(model, f"{place}.{field}", "container")


def _check_tier(head: SentHead) -> None:
    try:
        head.tier  # noqa: B018 — it is read for what it raises
    except ValueError:
        raise _unpriced(head.model, "service_tier") from None


def _is_set(name: str, body: JsonBody) -> bool:
    raw = body.fields.get(name)
    value = msgspec.json.decode(raw) if raw is not None else None
    return value not in (None, False, [], {}, *_FREE_VALUES.get(name, ()))


def _undated(kind: str) -> str:
    """Returns the name of a tool without its version: "bash" of "bash_20250124"."""
    name, _, date = kind.rpartition("_")
    return name if name and date.isdecimal() else kind


def _is_function(tool: object) -> bool:
    return isinstance(tool, Mapping) and tool.get("type") in ("function", "custom")


def _has_container(tool: SentTool, kind: str) -> bool:
    """Whether a tool runs in a machine of the vendor's, which is charged."""
    if kind == "shell":
        return not isinstance(tool.environment, dict) or tool.environment.get("type") != "local"
    if kind.startswith(WEB_SEARCH) and _undated(kind) != kind and kind >= _PROGRAMS_SINCE:
        return bool(tool.allowed_callers != ["direct"])
    return False


def _unpriced(model: str, field: str, name: str = "") -> AichatError:
    said = f"{field} ({name})" if name else field
    text = f"{said} may cost what has no price here: leave it out, or have it allowed by AICHAT_UNPRICED_FEATURES"
    metadata = {"model": model, "option": name or field, "models": ""}
    return AichatError(Reason.OPTION_UNSUPPORTED, text, metadata=metadata, violations=(FieldViolation(field, text),))
