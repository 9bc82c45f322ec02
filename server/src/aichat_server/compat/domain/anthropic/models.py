"""Models in the form of Anthropic."""

from __future__ import annotations

from typing import Any

from aichat_server.compat.domain.anthropic.marks import ANTHROPIC
from aichat_server.compat.domain.anthropic.versions import Version
from aichat_server.content.parts import PartKind
from aichat_server.models.domain.models import Model, ModelAbilities

_UNKNOWN_TIME = "1970-01-01T00:00:00Z"
"""Anthropic's own word for a release date that is not known."""


def model_of(model: Model, version: Version) -> dict[str, Any]:
    """Returns a model, with its limits and abilities where the version has them."""
    told: dict[str, Any] = {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": _UNKNOWN_TIME,
    }
    if version is not Version.STRICT:
        return told
    retires = model.retires_at
    return {
        **told,
        "lifecycle": "deprecated" if retires is not None else "active",
        "deprecated_at": None,
        "retires_at": retires.strftime("%Y-%m-%dT%H:%M:%SZ") if retires is not None else None,
        "line": None,
        "max_input_tokens": model.context_window or None,
        "max_tokens": model.max_output_tokens,
        "capabilities": _capabilities(model.abilities, cites=model.provider == ANTHROPIC),
    }


def _capabilities(can: ModelAbilities, *, cites: bool) -> dict[str, Any]:
    return {
        "batch": _supported(False),
        "citations": _supported(cites and PartKind.DOCUMENT in can.reads),
        "code_execution": _supported(False),
        "context_management": _supported(False),
        "effort": {
            **_supported(can.reasoning),
            **{level: _supported(can.reasoning) for level in ("low", "medium", "high")},
            "max": _supported(False),
            "xhigh": None,
        },
        "image_input": _supported(PartKind.IMAGE in can.reads),
        "pdf_input": _supported(PartKind.DOCUMENT in can.reads),
        "server_tools": {
            **_supported(can.web_search),
            "web_search": _supported(can.web_search),
            "code_execution": _supported(False),
        },
        "structured_outputs": _supported(can.response_format),
        "thinking": {
            **_supported(can.reasoning or can.thinks),
            "types": {
                "adaptive": _supported(True),
                "between_tools": _supported(False),
                "disabled": _supported(True),
                "enabled": _supported(can.reasoning or can.thinks),
            },
        },
    }


def _supported(can: bool) -> dict[str, bool]:
    return {"supported": can}
