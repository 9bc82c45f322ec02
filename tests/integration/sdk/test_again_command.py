"""`aichat` continues what it began: -c, cancel and resume; its default model, completion, and errors as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import grpc
import pytest
from aichat.v1 import chat_pb2, models_pb2
from aichat_sdk.cli._arguments import _parser
from aichat_sdk.cli._completion import SHELLS, script

from tests.integration.sdk.aichat import InProcess
from tests.unit.sdk.scripted import CANCELLED, GENERATION, ScriptedServer, answer, fail, reply

COMPLETE = reply(chat_pb2.CancelGenerationResponse(state=chat_pb2.GENERATION_STATE_COMPLETE))


async def test_it_continues_the_last_conversation(server: ScriptedServer, in_process: InProcess) -> None:
    server.on("StreamChat", answer("Rhine"), answer("Como"), answer("Alps"))
    server.on("CancelGeneration", COMPLETE, reply(CANCELLED))
    server.on("ResumeChat", answer("Rhine"))
    nothing = await in_process("chat", "-c", "And lakes?")
    assert nothing.code == 1
    assert "`aichat chat` begins a conversation" in nothing.err
    assert (await in_process("chat", "-m", "model-7", "Rivers?")).code == 0
    assert (await in_process("chat", "-c", "And lakes?", "-s", "Be brief.", "-n", "9", "-e", "low")).out == "Como\n"
    request = server.calls[-1].request
    assert (request.model, request.conversation_id) == ("model-7", "conversation-1")
    assert (request.options.system_prompt, request.options.max_output_tokens) == ("Be brief.", 9)
    assert (await in_process("chat", "--continue", "Peaks?", "-m", "other")).code == 0
    assert server.calls[-1].request.model == "other"
    assert (await in_process("cancel")).err == "the answer was complete before\n"
    cancelled = await in_process("cancel", "generation-9", "-j")
    assert json.loads(cancelled.out) == {"generation_id": "generation-9", "state": "GENERATION_STATE_CANCELLED"}
    assert (await in_process("resume")).out == "Rhine\n"
    assert [call.request.generation_id for call in server.calls[-3:]] == [GENERATION, "generation-9", GENERATION]


async def test_a_damaged_memory_is_no_memory(server: ScriptedServer, in_process: InProcess) -> None:
    server.on("StreamChat", answer("Yes"))
    last = Path("state/aichat/last.json")
    last.parent.mkdir(parents=True)
    for text in ("{", "[]", json.dumps({server.endpoint: {"generation_id": "g"}}), json.dumps({server.endpoint: None})):
        last.write_text(text)
        assert "there is no earlier answer" in (await in_process("resume")).err
    last.unlink()
    last.parent.rmdir()
    last.parent.write_text("a file, where a folder should be")
    assert (await in_process("chat", "-m", "m", "Hi")).code == 0


async def test_the_default_model(
    server: ScriptedServer, in_process: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on("StreamChat", answer("a"), answer("a"), answer("a"))
    config = Path("config/aichat/config.toml")
    config.parent.mkdir(parents=True)
    config.write_text('model = "of-the-file"')
    await in_process("chat", "Hi")
    monkeypatch.setenv("AICHAT_MODEL", "of-the-environment")
    await in_process("chat", "Hi")
    await in_process("chat", "Hi", "-m", "named")
    assert [call.request.model for call in server.calls] == ["of-the-file", "of-the-environment", "named"]
    monkeypatch.delenv("AICHAT_MODEL")
    for text, said in (
        ("model =", "cannot be read"),
        ("modell = 1", "unknown setting modell"),
        ("model = 1", "string"),
    ):
        config.write_text(text)
        failed = await in_process("chat", "Hi")
        assert failed.code == 1
        assert said in failed.err
        assert "--endpoint" not in failed.err


async def test_it_works_without_a_home_and_with_closed_outputs(
    server: ScriptedServer, in_process: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    server.on("ListModels", reply(chat_pb2.ListModelsResponse(models=[models_pb2.Model(model="m")])))
    server.on("StreamChat", answer("Hi"))
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    for output in ("stdout", "stderr"):
        monkeypatch.setattr(sys, output, None)
    assert (await in_process("chat", "Hi")).code == 0
    assert (await in_process("resume")).code == 1
    assert [call.method for call in server.calls] == ["ListModels", "StreamChat"]


async def test_failures_are_json_for_programs(server: ScriptedServer, in_process: InProcess) -> None:
    busy = fail(grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED", metadata={"limit": "rpm"}, retry_after=3)
    server.on("StreamChat", busy)
    failed = await in_process("chat", "-m", "m", "Hi", "--json")
    assert (failed.code, failed.out, failed.err.count("\n")) == (1, "", 1)
    assert json.loads(failed.err)["error"] == {
        "kind": "RateLimitError",
        "message": "told by the test",
        "reason": "RATE_LIMITED",
        "status": "RESOURCE_EXHAUSTED",
        "metadata": {"limit": "rpm"},
        "retry_after": 3.0,
        "request_id": "request-7",
    }
    wrong = await in_process("chat", "-j", "--effort", "huge")
    assert (wrong.code, json.loads(wrong.err)["error"]["kind"]) == (2, "UsageError")
    both = await in_process("chat", "-c", "--conversation", "c", "Hi")
    assert (both.code, "not allowed with" in both.err) == (2, True)
    missing = await in_process("chat", "-j", "-m", "m", "-f", "none.png", "Hi")
    assert "none.png" in json.loads(missing.err)["error"]["message"]


async def test_bash_completes(in_process: InProcess, tmp_path: Path) -> None:
    made = await in_process("completion", "bash")
    assert made.code == 0

    async def complete(*words: str) -> list[str]:
        line = " ".join(f"'{word}'" for word in words)
        show = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _aichat; echo ${{COMPREPLY[@]}}"
        shell = await asyncio.create_subprocess_exec(
            "bash", "-euc", f"{made.out}\n{show}", stdout=asyncio.subprocess.PIPE
        )
        return (await shell.communicate())[0].decode().split()

    assert {"chat", "cancel", "resume", "models"} < set(await complete("aichat", ""))
    assert await complete("aichat", "conv") == ["conversations"]
    assert await complete("aichat", "conversations", "re") == ["rename"]
    assert await complete("aichat", "chat", "--mo") == ["--model"]
    assert await complete("aichat", "chat", "--effort", "m") == ["medium"]
    assert await complete("aichat", "chat", "-f", "") == [], "bash completes the names of files"
    assert await complete("aichat", "-j", "completion", "z") == ["zsh"]


def test_every_shell_learns_every_command_and_option() -> None:
    for shell in SHELLS:
        made = script(shell, _parser())
        for word in ("conversations", "verify", "max-output-tokens", "resume", "unfold"):
            assert word in made, shell
