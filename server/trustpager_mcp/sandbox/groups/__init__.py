"""Behaviour per resource group: one module each, with a table of handlers by tool name."""

from __future__ import annotations

from ..engine import Handler
from . import activities, companies, contacts, opportunities, pipelines, products, search, tasks

HANDLERS: dict[str, Handler] = {
    name: handler
    for group in (search, contacts, companies, opportunities, pipelines, products, activities, tasks)
    for name, handler in group.HANDLERS.items()
}
