"""An MCP client as the caller: telling it of progress, and asking its person, in both protocol eras.

Up to 2025-11-25 the server sends an elicitation request and waits within the call. From 2026-07-28 on the call ends with
`input_required`, and the client makes it again with the person's answer and the state that went with the question.
"""

from __future__ import annotations

from typing import Any

import anyio
import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from .callers import AnswerNeeded, Caller, Question, Reply
from .errors import NotAllowedError
from .gate import SEAL_SECONDS

_ANSWER = "confirm"
_FORM: dict[str, Any] = {
    "type": "object",
    "properties": {_ANSWER: {"type": "boolean", "title": "Yes, do it", "default": False}},
    "required": [_ANSWER],
}


class ClientCaller(Caller):
    """The client of one MCP request: `ctx` and `params` as the SDK gives them."""

    def __init__(self, ctx: Any, params: Any) -> None:
        self._ctx = ctx
        self._params = params
        self._modern = ctx.session.protocol_version in MODERN_PROTOCOL_VERSIONS
        self._told = 0

    async def progress(self, message: str) -> None:
        """Tell the client, if it asked to hear of progress."""
        self._told += 1
        await self._ctx.session.report_progress(self._told, None, message)

    @property
    def can_ask(self) -> bool:  # type: ignore[override]
        """Whether the client declared form elicitation and the request has a way to it.

        A declaration without a mode means forms; one of `url` alone does not.
        """
        declared = self._ctx.session.client_capabilities
        elicitation = declared.elicitation if declared else None
        if elicitation is None or (elicitation.form is None and elicitation.url is not None):
            return False
        return self._modern or bool(self._ctx.session.can_send_request)

    @property
    def answer(self) -> Reply | None:  # type: ignore[override]
        """The answer that a client of 2026-07-28 sent with the repeated call."""
        given = (self._params.input_responses or {}).get(_ANSWER) if self._modern else None
        return None if given is None else Reply(_accepted(given), self._params.request_state or "")

    async def ask(self, question: Question) -> Reply:
        """The person's answer. Raises AnswerNeeded (2026-07-28) or NotAllowedError when the client does not answer."""
        if self._modern:
            raise AnswerNeeded(question)
        try:
            with anyio.fail_after(SEAL_SECONDS):
                answer = await self._ctx.session.elicit_form(question.text, _FORM, related_request_id=self._ctx.request_id)
        except (MCPError, ValidationError, TimeoutError) as error:
            why = "nobody answered in time" if isinstance(error, TimeoutError) else "the client did not put the question"
            raise NotAllowedError(
                f"a person has to confirm this, and {why}. Nothing was sent.",
                code="NOT_CONFIRMED",
                hint="Tell the user; call again when somebody is there to confirm it.",
            ) from None
        return Reply(_accepted(answer), question.state)


def _accepted(answer: Any) -> bool:
    return isinstance(answer, types.ElicitResult) and answer.action == "accept" and (answer.content or {}).get(_ANSWER) is True


def input_required(question: Question) -> types.InputRequiredResult:
    """The result that makes a client of 2026-07-28 ask its person and call again."""
    form = types.ElicitRequestFormParams(message=question.text, requested_schema=_FORM)
    return types.InputRequiredResult(input_requests={_ANSWER: types.ElicitRequest(params=form)}, request_state=question.state)
