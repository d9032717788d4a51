"""A scripted model for LangGraph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage


class ScriptedChatModel(GenericFakeChatModel):
    """A chat model that takes tools and says what the script says."""

    def bind_tools(self, tools: Any, **_keywords: Any) -> Any:
        assert "find_tools" in [t.name for t in tools]
        return self


def chat_script(script: list[tuple[str, dict[str, Any]]]) -> Iterator[AIMessage]:
    for turn, (name, arguments) in enumerate(script):
        yield AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": f"call_{turn}"}])
    yield AIMessage("Three are open.")
