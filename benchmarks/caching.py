"""What a turn of a long conversation with Claude costs with the vendor's cache, and what it would cost without."""

from __future__ import annotations

import json
from dataclasses import dataclass

import grpc
from aichat.v1 import chat_pb2, chat_pb2_grpc, messages_pb2, options_pb2

from benchmarks.deployment import Target

MODEL = "claude-opus-5-5"
TURNS = 20
TURN_CHARACTERS = 10_000
"""Of each question: 20 of them are 50,000 tokens."""
GOAL = 0.2

_SCRIPT = "#script " + json.dumps({"words": 50})


@dataclass(frozen=True, slots=True)
class FoundCaching:
    """The cost of the last turn, in billionths of a dollar."""

    cached: int
    uncached: int


async def measure_caching(target: Target) -> FoundCaching:
    """Has the same conversation with the cache and without it."""
    async with grpc.aio.insecure_channel(target.address) as channel:
        stub = chat_pb2_grpc.ChatServiceStub(channel)
        return FoundCaching(*[await _converse(stub, target.key, cache=cache) for cache in (True, False)])


async def _converse(stub: chat_pb2_grpc.ChatServiceAsyncStub, key: str, *, cache: bool) -> int:
    """Returns the cost of the last turn."""
    conversation, cost = "", 0
    for turn in range(TURNS):
        texts = (f"{turn} ".ljust(TURN_CHARACTERS, "x"), _SCRIPT)
        request = chat_pb2.StreamChatRequest(
            model=MODEL,
            conversation_id=conversation,
            parts=[messages_pb2.Part(text=messages_pb2.TextPart(text=text)) for text in texts],
            options=options_pb2.ChatOptions(cache=cache, max_output_tokens=1_000),
        )
        async for response in stub.StreamChat(request, metadata=(("authorization", f"Bearer {key}"),)):
            conversation = response.started.conversation_id or conversation
            charged = response.completed.message.cost
            cost = charged.units * 10**9 + charged.nanos
    return cost


def print_caching(found: FoundCaching) -> None:
    """Prints the costs side by side."""
    ratio = found.cached / found.uncached
    print()
    print(f"| turn {TURNS} of a conversation of 50,000 tokens with Claude | cost | goal |")
    print("|---|---|---|")
    print(f"| without the vendor's cache | {found.uncached / 1e9:.4f} USD | |")
    print(f"| with it | {found.cached / 1e9:.4f} USD | |")
    verdict = "met" if ratio <= GOAL else "missed"
    print(f"| with it, relative to without | {ratio:.2f} × | ≤ {GOAL:g} ×: {verdict} |")
