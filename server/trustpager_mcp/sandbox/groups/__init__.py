"""Behaviour per resource group: one module each.

A module has `HANDLERS`, by tool name, and where it needs them `JOBS` (what time brings), `LISTENERS` (what other groups'
events bring) and `seed` (its part of the practice workspace).
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from ..engine import Handler
from ..seed import Seeder
from ..world import Job, Listener
from . import (
    activities,
    companies,
    contacts,
    document_templates,
    documents,
    files,
    form_submissions,
    forms,
    learning_hub,
    opportunities,
    opportunity_parts,
    order_forms,
    pipelines,
    products,
    search,
    signing,
    supplier_catalog,
    tasks,
    websites,
)

MODULES: tuple[ModuleType, ...] = (
    search,
    contacts,
    companies,
    opportunities,
    opportunity_parts,
    pipelines,
    products,
    activities,
    tasks,
    files,
    documents,
    document_templates,
    signing,
    forms,
    form_submissions,
    websites,
    order_forms,
    learning_hub,
    supplier_catalog,
)
HANDLERS: dict[str, Handler] = {name: handler for m in MODULES for name, handler in getattr(m, "HANDLERS", {}).items()}
JOBS: tuple[Job, ...] = tuple(job for m in MODULES for job in getattr(m, "JOBS", ()))
LISTENERS: tuple[Listener, ...] = tuple(listener for m in MODULES for listener in getattr(m, "LISTENERS", ()))
SEEDS: dict[str, Callable[[Seeder], None]] = {m.__name__: part for m in MODULES if (part := getattr(m, "seed", None))}
