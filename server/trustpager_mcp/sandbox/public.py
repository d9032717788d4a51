"""What the workspace serves without a credential: kept content, and the addresses of incoming webhooks."""

from __future__ import annotations

from typing import Any

from .content import get
from .engine import Answer
from .errors import ApiError
from .groups.webhooks import receive
from .world import World


def public_answer(world: World, method: str, path: str, body: Any) -> Answer:
    """The answer to a request below /functions/v1/public/. Raises ApiError."""
    match (method, path.split("/")):
        case ("GET", ["content", content_id, _]):
            return get(world, content_id)
        case ("POST", ["hooks", token]):
            return receive(world, token, body)
    raise ApiError(404, "NOT_FOUND", f"there is nothing at {method} /functions/v1/public/{path}")
