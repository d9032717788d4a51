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
    agent_ops,
    agent_proposals,
    agents,
    ai,
    ai_assets,
    ai_instructions,
    approvals,
    auto_queues,
    auto_schedules,
    automations,
    billing,
    companies,
    company,
    contacts,
    crm_export,
    crm_settings,
    crm_templates,
    document_templates,
    documents,
    email,
    email_campaigns,
    email_configs,
    evie,
    export_templates,
    files,
    form_submissions,
    forms,
    initiatives,
    integrations,
    knowledge,
    lead_generation,
    learning_hub,
    memory,
    notepads,
    opportunities,
    opportunity_parts,
    order_forms,
    phone,
    pipelines,
    products,
    reports,
    scheduled_communications,
    scheduled_event_types,
    scheduling_availability,
    scheduling_bookings,
    scheduling_voice,
    search,
    signing,
    sms,
    spreadsheets,
    supplier_catalog,
    tasks,
    transcripts,
    trigger_schemas,
    voices,
    webhooks,
    websites,
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
)
HANDLERS: dict[str, Handler] = {name: handler for m in MODULES for name, handler in getattr(m, "HANDLERS", {}).items()}
CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {n: c for m in MODULES for n, c in getattr(m, "CHECKS", {}).items()}
REWRITES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    n: rewrite for m in MODULES for n, rewrite in getattr(m, "REWRITES", {}).items()
}
JOBS: tuple[Job, ...] = tuple(job for m in MODULES for job in getattr(m, "JOBS", ()))
LISTENERS: tuple[Listener, ...] = tuple(listener for m in MODULES for listener in getattr(m, "LISTENERS", ()))
SEEDS: dict[str, Callable[[Seeder], None]] = {m.__name__: part for m in MODULES if (part := getattr(m, "seed", None))}
