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
    agent_ops,
    agent_proposals,
    ai,
    ai_assets,
    ai_instructions,
    approvals,
    billing,
    companies,
    company,
    contacts,
    crm_settings,
    evie,
    integrations,
    opportunities,
    opportunity_parts,
    pipelines,
    products,
    search,
    tasks,
    webhooks,
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
    approvals,
    agent_proposals,
    billing,
    company,
    crm_settings,
    webhooks,
    agent_ops,
    evie,
    ai,
    ai_assets,
    ai_instructions,
    integrations,
)
HANDLERS: dict[str, Handler] = {name: handler for m in MODULES for name, handler in getattr(m, "HANDLERS", {}).items()}
JOBS: tuple[Job, ...] = tuple(job for m in MODULES for job in getattr(m, "JOBS", ()))
LISTENERS: tuple[Listener, ...] = tuple(listener for m in MODULES for listener in getattr(m, "LISTENERS", ()))
SEEDS: dict[str, Callable[[Seeder], None]] = {m.__name__: vars(m)["seed"] for m in MODULES if "seed" in vars(m)}
