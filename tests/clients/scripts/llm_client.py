"""`llm`, over Chat Completions: its command, and its library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from play import HELLO, KEY, MODELS, OPENAI, ROUNDS, SAID, SUM, SUMS, done

HOME = Path("llm").absolute()
os.environ["LLM_USER_PATH"] = str(HOME)
HOME.mkdir(exist_ok=True)
HOME.joinpath("keys.json").write_text(json.dumps({"aichat": KEY}))
HOME.joinpath("extra-openai-models.yaml").write_text(
    "".join(
        f"- {{model_id: {model}-here, model_name: {model}, api_base: {OPENAI}, api_key_name: aichat, "
        "supports_tools: true}\n"
        for model in (*MODELS, "no-such-model")
    )
)

import llm  # noqa: E402 — it reads its folder when it is loaded


def check(name: str) -> None:
    """Asks one model, whole and as a stream, and with a tool."""
    model, sums = llm.get_model(f"{name}-here"), []

    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        sums.append(a + b)
        return sums[-1]

    for stream in (False, True):
        assert model.prompt(HELLO, stream=stream).text() == SAID
    assert model.chain(ROUNDS, tools=[add]).text().endswith(SUM)
    assert sums == SUMS, sums


for name in MODELS:
    check(name)
    done("llm", name)
command = str(Path(sys.executable).with_name("llm"))
refused = subprocess.run([command, "-m", "no-such-model-here", "Hi"], capture_output=True, text=True, check=False)
assert (refused.returncode, "no-such-model" in refused.stderr) == (1, True), refused
done("error")
