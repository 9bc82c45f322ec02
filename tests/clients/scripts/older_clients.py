"""OpenAI's and Anthropic's SDKs of the generation before: other headers, and an older version of the API."""

from __future__ import annotations

import anthropic
import openai
from play import ANTHROPIC, HELLO, KEY, MODELS, OPENAI, ROUNDS, SAID, SUM, SUMS, done

ADD = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
}


def asks_openai(model: str) -> None:
    client = openai.OpenAI(base_url=OPENAI, api_key=KEY, max_retries=0)
    with client.chat.completions.stream(model=model, messages=[{"role": "user", "content": HELLO}]) as stream:
        assert stream.get_final_completion().choices[0].message.content == SAID
    assert client.responses.create(model=model, input=HELLO).output_text == SAID


def asks_anthropic(model: str) -> None:
    client = anthropic.Anthropic(base_url=ANTHROPIC, api_key=KEY, max_retries=0)
    sums, said = [], [{"role": "user", "content": ROUNDS}]
    tools = [{"name": "add", "description": "Adds.", "input_schema": ADD}]
    while True:
        with client.messages.stream(model=model, max_tokens=1000, messages=said, tools=tools) as stream:
            answer = stream.get_final_message()
        said.append({"role": "assistant", "content": answer.content})
        calls = [block for block in answer.content if block.type == "tool_use"]
        if not calls:
            break
        sums += [call.input["a"] + call.input["b"] for call in calls]
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": str(sums[-1])} for call in calls]
        said.append({"role": "user", "content": results})
    assert (sums, answer.content[-1].text) == (SUMS, SUM), (sums, answer)


for model in MODELS:
    asks_openai(model)
    done("openai", model)
for model in MODELS:
    asks_anthropic(model)
    done("anthropic", model)
try:
    anthropic.Anthropic(base_url=ANTHROPIC, api_key=KEY, max_retries=0).messages.create(
        model="no-such-model", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
    )
except anthropic.NotFoundError:
    done("error")
