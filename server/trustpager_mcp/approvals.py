"""Calls that the API holds until a person approves them: queued, not done."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from .definitions import Tool
from .redaction import one_line

_LOOK = "get_approval"


def held_approval(payload: Any) -> str | None:
    """The approval's id when an answer says that the call is held, else None."""
    data = payload.get("data", payload) if isinstance(payload, dict) else None
    if isinstance(data, dict) and data.get("status") == "pending_approval":
        return one_line(str(data.get("approval_id") or data.get("id") or "unknown"), 64)
    return None


def queued_text(tool: Tool, approval_id: str, visible: Container[str]) -> str:
    """What an agent is told of a held call: that it is not done, not to repeat it, and where to look."""
    look = f' Look with call_read {{"tool": "{_LOOK}", "args": {{"approval_id": "{approval_id}"}}}}.' if _LOOK in visible else ""
    return (
        f"Queued, not done: {tool.name} waits for a person's approval (approval_id {approval_id}). "
        f"Do not send it again; tell the user that someone has to approve it.{look}"
    )
