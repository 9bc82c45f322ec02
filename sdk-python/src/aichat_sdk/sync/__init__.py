"""The client for code without an event loop. Generated: do not edit."""

from aichat_sdk.sync.client import AIChat
from aichat_sdk.sync.paging import Pager
from aichat_sdk.sync.runs import ToolRun
from aichat_sdk.sync.stream import AnswerStream, ChatStream

__all__ = ["AIChat", "AnswerStream", "ChatStream", "Pager", "ToolRun"]
