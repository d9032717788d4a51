"""Behaviour per resource group: one module each.

A module has `HANDLERS`, by tool name, and where it needs them `JOBS` (what time brings), `LISTENERS` (what other groups'
events bring), `seed` (its part of the practice workspace) and, by tool name, `CHECKS`: what a body is judged by before its
definition, for error codes of the group's own; and `REWRITES`: bodies in older spellings that the reference allows, as the
definition has them.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from ..engine import Handler
from ..seed import Seeder
from ..world import Job, Listener
from . import (
    activities,
    agent_calls,
    agent_knowledge_bases,
    agents,
    auto_queues,
    auto_schedules,
    automations,
    companies,
    contacts,
    crm_export,
    crm_templates,
    email,
    email_campaigns,
    email_configs,
    export_templates,
    initiatives,
    knowledge,
    lead_generation,
    memory,
    notepads,
    opportunities,
    opportunity_parts,
    phone,
    pipelines,
    products,
    referrals,
    reports,
    reputation,
    scheduled_communications,
    scheduled_event_types,
    scheduling_availability,
    scheduling_bookings,
    scheduling_voice,
    search,
    service_requests,
    sms,
    spreadsheets,
    tasks,
    transcripts,
    trigger_schemas,
    voices,
    work_orders,
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
    phone,
    email_configs,
    email,
    email_campaigns,
    sms,
    voices,
    agents,
    agent_calls,
    agent_knowledge_bases,
    transcripts,
    crm_templates,
    knowledge,
    memory,
    lead_generation,
    initiatives,
    work_orders,
    automations,
    auto_queues,
    auto_schedules,
    scheduling_availability,
    scheduled_event_types,
    scheduling_bookings,
    scheduling_voice,
    scheduled_communications,
    trigger_schemas,
    reports,
    spreadsheets,
    notepads,
    crm_export,
    export_templates,
    service_requests,
    reputation,
    referrals,
)
HANDLERS: dict[str, Handler] = {name: handler for m in MODULES for name, handler in getattr(m, "HANDLERS", {}).items()}
CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {n: c for m in MODULES for n, c in getattr(m, "CHECKS", {}).items()}
REWRITES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    n: rewrite for m in MODULES for n, rewrite in getattr(m, "REWRITES", {}).items()
}
JOBS: tuple[Job, ...] = tuple(job for m in MODULES for job in getattr(m, "JOBS", ()))
LISTENERS: tuple[Listener, ...] = tuple(listener for m in MODULES for listener in getattr(m, "LISTENERS", ()))
SEEDS: dict[str, Callable[[Seeder], None]] = {m.__name__: m.seed for m in MODULES if hasattr(m, "seed")}
