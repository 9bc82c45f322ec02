"""Fallbacks are checked against the catalogue and the vendors before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from aichat_server.__main__ import main


def check(monkeypatch: pytest.MonkeyPatch, folder: Path, fallbacks: str) -> int:
    """Returns the exit code of `check-config` with keys for Anthropic and OpenAI, and none for Gemini."""
    monkeypatch.chdir(folder)
    for name, value in {
        "DATABASE_URL": "postgresql://aichat_app@localhost/postgres",
        "ANTHROPIC_API_KEY": "a-key",
        "OPENAI_API_KEY": "a-key",
        "GEMINI_API_KEY": "",
        "AICHAT_FALLBACKS": fallbacks,
    }.items():
        monkeypatch.setenv(name, value)
    return main(["check-config"])


@pytest.mark.parametrize(
    "fallbacks",
    ["", "claude-opus-5-5=gpt-6.1-sol,gpt-6.1-sol=claude-opus-5-5", "gemini-3.8-flash=gpt-6-luna"],
)
def test_fallbacks_that_can_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fallbacks: str) -> None:
    assert check(monkeypatch, tmp_path, fallbacks) == 0


@pytest.mark.parametrize(
    ("fallbacks", "complaint"),
    [
        ("claude-opus-5-5=gpt-none", "there is no model gpt-none"),
        ("gpt-none=claude-opus-5-5", "there is no model gpt-none"),
        ("claude-opus-5-5=claude-opus-5-5", "claude-opus-5-5 cannot stand in for itself"),
        ("claude-opus-5-5=gemini-3.8-flash", "gemini-3.8-flash needs credentials for gemini"),
        ("claude-opus-5-5=text-embedding-3-small", "text-embedding-3-small makes embeddings"),
    ],
)
def test_fallbacks_that_cannot(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    fallbacks: str,
    complaint: str,
) -> None:
    assert check(monkeypatch, tmp_path, f"{fallbacks},gpt-6-luna=one-more") == 2
    told = capsys.readouterr().err
    assert complaint in told
    assert "AICHAT_FALLBACKS" in told
    assert "there is no model one-more" in told
