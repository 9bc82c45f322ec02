"""`aichat cancel` and `aichat resume`: what began earlier."""

from __future__ import annotations

from aichat_sdk.cli._context import Context
from aichat_sdk.cli._shown import show_end
from aichat_sdk.cli._state import recall
from aichat_sdk.types import GenerationState, Message


def cancel(context: Context, *, generation_id: str | None) -> int:
    """Cancels an answer, the last one if none is named, and tells how it ended."""
    chosen = generation_id or recall(context.endpoint).generation_id
    state = context.runner.run(context.client.chat.cancel(chosen))
    if context.json:
        return context.values(generation_id=chosen, state=f"GENERATION_STATE_{state.name}")
    told = {
        GenerationState.CANCELLED: "cancelled; what had arrived is stored",
        GenerationState.COMPLETE: "the answer was complete before",
    }
    context.terminal.note(told.get(state, f"the answer had ended before: {str(state.name).lower()}"))
    return 0


def resume(context: Context, *, generation_id: str | None) -> int:
    """Shows an answer from its beginning, the last one if none is named, and what still arrives."""
    message = context.runner.run(_resume(context, generation_id or recall(context.endpoint).generation_id))
    show_end(context, message)
    return 0


async def _resume(context: Context, generation_id: str) -> Message:
    with context.terminal.answer() as answer:
        async with context.client.chat.resume(generation_id) as stream:
            async for text in stream.text_stream:
                answer.add(text)
            return await stream.get_final_message()
