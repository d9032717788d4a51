"""What the workspace serves without a credential: files, kept content, signed links, clients' pages, incoming webhooks."""

from __future__ import annotations

from typing import Any

from . import mail, stored_files
from .content import get
from .engine import Answer
from .errors import ApiError
from .groups import form_submissions, order_forms, signing, work_orders
from .groups.webhooks import receive
from .world import World


def public_answer(world: World, method: str, path: str, body: Any) -> Answer:
    """The answer to a request below /functions/v1/public/. Raises ApiError."""
    with world.store.transaction():
        return _answer(world, method, path, body)


def _answer(world: World, method: str, path: str, body: Any) -> Answer:
    match (method, path.split("/")):
        case ("GET", ["files", file_id, _]):
            return stored_files.serve_public(world, file_id)
        case ("GET", ["signed", token, _]):
            return stored_files.serve_signed(world, token)
        case ("GET", ["forms", token]):
            return form_submissions.show_page(world, token)
        case ("POST", ["forms", token]):
            return form_submissions.answer(world, token, body)
        case ("POST", ["order-forms", form_id]):
            return order_forms.pay(world, form_id, body)
        case ("GET", ["sign", token]):
            return signing.show_page(world, token)
        case ("POST", ["sign", token]):
            return signing.sign(world, token, body)
        case ("GET", ["work-status", token]):
            return work_orders.show_portal(world, token)
        case ("POST", ["work-status", token]):
            return work_orders.open_portal(world, token, body)
        case ("GET", ["content", content_id, _]):
            return get(world, content_id)
        case ("GET" | "POST", ["unsubscribe", recipient_id]):
            return mail.leave(world, method, recipient_id)
        case ("POST", ["hooks", token]):
            return receive(world, token, body)
    raise ApiError(404, "NOT_FOUND", f"there is nothing at {method} /functions/v1/public/{path}")
