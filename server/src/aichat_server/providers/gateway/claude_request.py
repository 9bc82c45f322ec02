"""The bodies of requests to the Messages API, version 2026-10-21; with sampling parameters, version 2023-06-01."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from aichat_server.providers.domain.requests import ProviderRequest, Tool, ToolChoice, ToolChoiceMode, WebSearch
from aichat_server.providers.gateway import claude_cache, claude_schema, claude_terms, prompt
from aichat_server.providers.gateway.claude_messages import ClaudeMessages
from aichat_server.providers.gateway.claude_terms import Thinking

BINDING_BETA = "thinking-binding-controls-2026-08-01"
"""Has thinking dropped, instead of the request refused, if something before it has changed since."""
SEARCH = "web_search_20260318"
NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}}
CALL_ONE = "Call one of the tools now."
CALL_THIS = "Call the tool {name} now."
ANSWER_JSON = "Answer with one JSON object, and write nothing before it or after it."
_CHOICES = {
    ToolChoiceMode.AUTO: "auto",
    ToolChoiceMode.NONE: "none",
    ToolChoiceMode.REQUIRED: "any",
    ToolChoiceMode.ONE: "tool",
}


def answering(request: ProviderRequest, provider: str) -> dict[str, Any]:
    """Returns the body of a request for an answer."""
    return {
        **counting(request, provider),
        "max_tokens": request.max_output_tokens,
        "stream": True,
        # Capacity bought ahead has other prices, and nobody requests it here.
        "service_tier": "standard_only",
        **({"stop_sequences": list(request.options.stop)} if request.options.stop else {}),
        **sampling(request),
    }


def sampling(request: ProviderRequest) -> dict[str, float]:
    """Returns the sampling parameters, which only the first version of the API takes."""
    told = {"temperature": request.options.temperature, "top_p": request.options.top_p}
    return {name: value for name, value in told.items() if value is not None}


def counting(request: ProviderRequest, provider: str) -> dict[str, Any]:
    """Returns the body of a request that counts the tokens of another."""
    conversation = prompt.said(request, provider)
    thinking = claude_terms.thinking(request)
    cites = request.options.response_format is None
    messages = ClaudeMessages(provider, thinking, cites=cites).write(conversation)
    tools = [_tool(tool) for tool in prompt.tools(request, conversation)]
    if request.options.web_search is not None:
        tools.append(_search(request.options.web_search))
    system = [{"type": "text", "text": text}] if (text := prompt.system_prompt(request)) else []
    if request.options.cache is not False:
        claude_cache.mark(tools, system, messages)
    body: dict[str, Any] = {"model": request.model, "messages": messages}
    if system:
        body["system"] = system
    if tools:
        body["tools"] = tools
        if choice := _choice(request, messages):
            body["tool_choice"] = choice
    if thinking is not None:
        body["thinking"] = _thinking(request, thinking)
    if output := _output(request, messages):
        body["output_config"] = output
    return body


def _tool(tool: Tool) -> dict[str, Any]:
    schema = msgspec.json.decode(tool.parameters, type=dict[str, msgspec.Raw]) if tool.parameters else {}
    told: dict[str, Any] = {"name": tool.name, "input_schema": {**NO_ARGUMENTS, **schema}}
    if tool.description:
        told["description"] = tool.description
    # Arguments then arrive as they are written, not when they are whole.
    return {**told, "eager_input_streaming": True}


def _search(search: WebSearch) -> dict[str, Any]:
    told: dict[str, Any] = {"type": SEARCH, "name": "web_search", "max_uses": search.max_searches}
    if search.allowed_domains:
        told["allowed_domains"] = list(search.allowed_domains)
    # Without this, the model searches from programs of its own, in a machine that would be charged, too.
    return {**told, "allowed_callers": ["direct"]}


def _choice(request: ProviderRequest, messages: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Returns whether the model may call tools; None for its default."""
    choice, parallel = prompt.tool_choice(request), request.options.parallel_tool_calls
    if not request.options.tools and request.options.web_search is not None:
        # Only searches are offered, and "none" would forbid them.
        return None
    if choice is None and parallel is not False:
        return None
    choice = choice or ToolChoice(ToolChoiceMode.AUTO)
    if claude_terms.forces_tool(request) and claude_terms.is_tied(request.model):
        _demand_call(choice, messages)
        choice = ToolChoice(ToolChoiceMode.AUTO)
    told: dict[str, Any] = {"type": _CHOICES[choice.mode]}
    if choice.mode is ToolChoiceMode.ONE:
        told["name"] = choice.name
    if parallel is False and choice.mode is not ToolChoiceMode.NONE:
        told["disable_parallel_tool_use"] = True
    return told


def _demand_call(choice: ToolChoice, messages: list[dict[str, Any]]) -> None:
    """Says in words what some models cannot be made to do. It comes last, so that nothing cached depends on it."""
    text = CALL_THIS.format(name=choice.name) if choice.mode is ToolChoiceMode.ONE else CALL_ONE
    messages[-1]["content"].append({"type": "text", "text": text})


def _thinking(request: ProviderRequest, thinking: Thinking) -> dict[str, Any]:
    if thinking is not Thinking.ADAPTIVE:
        return {"type": thinking.value}
    # Newer models hide their thinking unless a summary is requested.
    told: dict[str, Any] = {"type": thinking.value, "display": "summarized"}
    if claude_terms.is_tied(request.model):
        told["block_binding"] = {"prefix_mismatch_behavior": "drop_block"}
    return told


def _output(request: ProviderRequest, messages: list[dict[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if effort := claude_terms.effort(request):
        told["effort"] = effort
    if wanted := request.options.response_format:
        schema = msgspec.json.decode(wanted.json_schema)
        if claude_schema.is_any_object(schema):
            # Anthropic takes no schema of objects with any names. In words, and last, as _demand_call.
            messages[-1]["content"].append({"type": "text", "text": ANSWER_JSON})
        else:
            told["format"] = {"type": "json_schema", "schema": claude_schema.accepted(schema)}
    return told
