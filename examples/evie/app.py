"""A chat page over the assistant: python examples/evie/app.py, then http://127.0.0.1:8765."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from assistant import Claude, Message, Model, Person, Rules, converse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from trustpager_mcp import Toolkit

PAGE = Path(__file__).with_name("page.html")
_MOST_CHARACTERS = 4_000


@dataclass
class User:
    """One signed-in person: their own key, their conversation, and the questions that wait for their click."""

    api_key: str
    conversation: list[Message] = field(default_factory=list)
    waiting: dict[str, Person] = field(default_factory=dict)
    busy: bool = False


def create_app(toolkit: Toolkit, model: Model, users: dict[str, User]) -> Starlette:
    """The app. `users` maps sign-in tokens to people; a real app gets them from its own sign-in."""

    def user(request: Request) -> User | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return users.get(token) if scheme.lower() == "bearer" else None

    async def page(_request: Request) -> Response:
        # The page gets the demo user's token; a real app would have set its own session cookie by now.
        text = PAGE.read_text(encoding="utf-8").replace("{{token}}", next(iter(users)))
        policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
        return HTMLResponse(text, headers={"content-security-policy": policy, "referrer-policy": "no-referrer"})

    async def chat(request: Request) -> Response:
        if (who := user(request)) is None:
            return JSONResponse({"error": "sign in first"}, 401)
        text = (await _body(request)).get("text")
        if not isinstance(text, str) or not text.strip() or len(text) > _MOST_CHARACTERS:
            return JSONResponse({"error": f"text must be 1 to {_MOST_CHARACTERS} characters"}, 400)
        if who.busy:
            return JSONResponse({"error": "wait for the answer to your last message"}, 409)
        return StreamingResponse(_events(toolkit, model, who, text.strip()), media_type="text/event-stream")

    async def answer(request: Request) -> Response:
        if (who := user(request)) is None:
            return JSONResponse({"error": "sign in first"}, 401)
        body = await _body(request)
        person = who.waiting.get(str(body.get("id")))
        if person is None:
            return JSONResponse({"error": "nothing waits for that answer any more"}, 404)
        person.click(body.get("accepted") is True)
        return JSONResponse({"ok": True})

    routes = [Route("/", page), Route("/chat", chat, methods=["POST"]), Route("/answer", answer, methods=["POST"])]
    return Starlette(routes=routes)


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


async def _events(toolkit: Toolkit, model: Model, who: User, text: str) -> AsyncIterator[str]:
    """Server-sent events while the assistant works; when the page goes away, so does the work."""
    send, receive = anyio.create_memory_object_stream[str](100)

    async def emit(kind: str, data: dict[str, Any]) -> None:
        await send.send(f"event: {kind}\ndata: {json.dumps(data)}\n\n")

    async def work() -> None:
        async with send:
            try:
                person = Person(emit, who.waiting)
                await converse(who.conversation, model, toolkit, who.api_key, person, emit)
            except Exception as error:
                await emit("failed", {"text": f"Something went wrong ({type(error).__name__}). Try again."})
            await emit("done", {})

    who.busy = True
    who.conversation.append(Message("user", text))
    try:
        async with anyio.create_task_group() as group, receive:
            group.start_soon(work)
            async for event in receive:
                yield event
    finally:
        who.busy = False


@asynccontextmanager
async def demo() -> AsyncIterator[Starlette]:
    """One user, the practice workspace unless there is a key, and Claude if there is one for it."""
    key = os.environ.get("TRUSTPAGER_API_KEY")
    model: Model = Rules()
    if os.environ.get("ANTHROPIC_API_KEY"):
        import anthropic

        model = Claude(anthropic.AsyncAnthropic())
    users = {secrets.token_urlsafe(24): User(key or "tp_live_sandbox_full")}
    async with Toolkit(key, sandbox=not key, confirm="strict") as toolkit:
        yield create_app(toolkit, model, users)


async def main() -> None:
    import uvicorn

    async with demo() as app:
        print("http://127.0.0.1:8765")
        await uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=8765, log_level="warning")).serve()


if __name__ == "__main__":
    anyio.run(main)
