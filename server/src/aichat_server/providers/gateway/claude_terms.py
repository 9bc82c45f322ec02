"""What differs between Claude's models."""

from __future__ import annotations

from enum import StrEnum

from aichat_server.providers.domain.requests import ProviderRequest, ReasoningEffort, ToolChoiceMode
from aichat_server.providers.gateway import prompt

# How to minimize thinking: some models cannot turn it off, and one has its own option for that.
ALWAYS_THINKS = ("claude-opus-5-5", "claude-fable-", "claude-mythos-")
THINKS_BETWEEN_TOOLS = ("claude-sonnet-5-5",)
# These think by default; others think only when the request says how much.
THINKS_BY_DEFAULT = ("claude-opus-5", "claude-sonnet-5", "claude-haiku-5", *ALWAYS_THINKS)
# These check that nothing before their thinking has changed, and cannot be made to call a tool.
_TIED = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1", "claude-mythos-5-1")


class Thinking(StrEnum):
    """How a model thinks; the values are Anthropic's."""

    ADAPTIVE = "adaptive"
    BETWEEN_TOOLS = "between_tools"
    DISABLED = "disabled"


def is_tied(model: str) -> bool:
    """Whether the model's thinking is bound to the conversation before it."""
    return model.startswith(_TIED)


def forces_tool(request: ProviderRequest) -> bool:
    """Whether the answer must call a tool."""
    choice = prompt.tool_choice(request)
    return choice is not None and choice.mode in (ToolChoiceMode.REQUIRED, ToolChoiceMode.ONE)


def thinking(request: ProviderRequest) -> Thinking | None:
    """Returns how the model is to think; None if it does not, unless it is told to."""
    model, effort = request.model, request.options.reasoning_effort
    # Not every model takes a forced call together with thinking.
    unwanted = effort is ReasoningEffort.NONE or (forces_tool(request) and not is_tied(model))
    if unwanted and not model.startswith(ALWAYS_THINKS):
        if model.startswith(THINKS_BETWEEN_TOOLS):
            return Thinking.BETWEEN_TOOLS
        # A model that does not think by default may not know the option.
        is_known = effort is ReasoningEffort.NONE or model.startswith(THINKS_BY_DEFAULT)
        return Thinking.DISABLED if is_known else None
    return Thinking.ADAPTIVE if effort or model.startswith(THINKS_BY_DEFAULT) else None


def effort(request: ProviderRequest) -> str | None:
    """Returns how much the model is to think and write; None for its default."""
    match request.options.reasoning_effort:
        case None:
            return None
        case ReasoningEffort.NONE:
            return "low" if request.model.startswith(ALWAYS_THINKS) else None
        case ReasoningEffort.LOW | ReasoningEffort.MEDIUM | ReasoningEffort.HIGH as told:
            return told.value
