"""A scripted model for the OpenAI Agents SDK."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from agents import Model, ModelResponse, Usage
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText


class ScriptedAgentsModel(Model):
    """Answers the Agents SDK with the script, then with a sentence."""

    def __init__(self, script: list[tuple[str, dict[str, Any]]]) -> None:
        self.script = script
        self.heard: list[Any] = []

    async def get_response(self, *_args: Any, input: Any, **_keywords: Any) -> ModelResponse:
        self.heard = [i["output"] for i in input if isinstance(i, dict) and i.get("type") == "function_call_output"]
        turn = len(self.heard)
        if turn < len(self.script):
            name, arguments = self.script[turn]
            item: Any = ResponseFunctionToolCall(
                type="function_call", call_id=f"call_{turn}", name=name, arguments=json.dumps(arguments)
            )
        else:
            text = ResponseOutputText(type="output_text", text="Three are open.", annotations=[])
            item = ResponseOutputMessage(id="msg", type="message", role="assistant", status="completed", content=[text])
        return ModelResponse(output=[item], usage=Usage(), response_id=None)

    def stream_response(self, *_args: Any, **_keywords: Any) -> AsyncIterator[Any]:
        raise NotImplementedError
