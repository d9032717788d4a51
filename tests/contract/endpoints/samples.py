"""What schemas cannot say about valid calls, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NAMED = "11111111-1111-4111-8111-111111111111"
"""Stands for the id of a record; the argument's name tells of which collection."""


@dataclass(frozen=True)
class Source:
    """Where ids of one kind come from: a tool that finds one, a tool that makes one.

    `at` and `made_at` are the places of the id in the tools' answers; in a list the first row counts whose fields are
    those of `where`. `bearer` is the credential that makes it, when it is not the suite's own.
    """

    found: str | None = None
    made: str | None = None
    at: str = "id"
    made_at: str = "id"
    where: dict[str, Any] = field(default_factory=dict)
    bearer: str | None = None
    asked: dict[str, Any] = field(default_factory=dict)
    """Further arguments of `found`."""
    made_with: dict[str, Any] | None = None
    """Arguments of `made`, instead of its usual ones."""


# Which collection an argument chooses from, where neither its path nor its name says so; the first part may name a tool or a toolset.
COLLECTIONS: dict[str, str] = {
    "deal_id": "/opportunities", "deal_ids": "/opportunities", "opportunities.ids": "/opportunities",
    "customer_id": "/companies", "company_id": "/companies", "supplier_id": "/companies", "create_evie_token.company_id": "/company",
    "contact_id": "/contacts", "referrer_contact_id": "/contacts", "params_email_recipient_contact_id": "/contacts",
    "user_id": "/company/users", "assigned_to": "/company/users", "principal_id": "/company/users",
    "primary_assignee_id": "/company/users", "team_member_name": "a team member's name",
    "opportunities.product_id": "/products", "opportunities.cost_id": "/opportunities/:id/product-costs/:opportunityProductId",
    "opportunities.opportunity_product_id": "/opportunities/:id/products", "deal_product_id": "/opportunities/:id/products",
    "reorder_opportunity_products.product_ids": "/opportunities/:id/products",
    "contacts.company_id": "/companies", "export_templates.view_id": "/exports/templates/:id/views",
    "opportunities.contact_id": "/contacts", "opportunities.user_id": "/company/users", "opportunities.file_id": "/files",
    "opportunities.document_id": "/documents", "opportunities.image_id": "images", "opportunities.spreadsheet_id": "/spreadsheets",
    "stage_id": "/pipelines/:id/stages", "stage_ids": "/pipelines/:id/stages",
    "agents.website_id": "/websites", "signing.template_id": "/document-templates", "ai.template_id": "/forms/templates",
    "forms.template_id": "/forms/templates", "files.ids": "/files", "bundle_files.ids": "/files", "optimize_image.file_id": "images",
    "make_file_public.file_id": "images", "make_file_private.file_id": "images", "get_file_signed_url.file_id": "private images",
    "publish_file.file_id": "document files", "unpublish_file.file_id": "document files",
    "provision_voice_agent.agent_id": "unprovisioned agents",  "dashboard_id": "/report-dashboards", "reports.card_id": "/report-dashboards/:id/cards",
    "reports.card_ids": "/report-dashboards/:id/cards", "reports.pipeline_id": "/pipelines",
    "training_card_id": "/training-canvases/:id/cards", "profile_id": "/reputation/profile", "phone_number_id": "/phone/numbers",
    "recipient_id": "recipients", "related_ids": "/service-requests", "link_service_requests.add": "other service requests",
    "search_id": "/lead-gen/searches", "result_ids": "lead results", "search_result_ids": "lead results", "place_id": "lead places",
    "reorder_tasks.task_ids": "/tasks", "contact_ids": "/contacts", "company_ids": "/companies", "task_ids": "/tasks",
    "compact_evie_thread.thread_id": "Evie's threads", "list_agent_responses.agent_id": "text agents",
    "get_agent_call.call_id": "agent calls", "get_automation_run.run_id": "automation runs", "trigger_type": "/schemas/triggers",
    "retell_voice_id": "/voices/provider-catalog", "render_form_submission_pdf.submission_id": "completed submissions",
    "revoke_notepad_access.access_id": "/notepads/:id/acl", "buy_phone_number.phone_number": "numbers on sale",
    "event_type_id": "/scheduled-event-types", "funnel_id": "/report-funnels", "test_registered_agent.registered_agent_id": "managed agents",
    "update_managed_agent_definition.registered_agent_id": "managed agents", "update_agent_run.agent_run_id": "/agent-ops/runs",
    "integrations.integration_id": "Xero", "publish_voice_agent.agent_id": "/agents",
}  # fmt: skip

# Sources beside the rule that GET on a collection finds and POST makes.
SOURCES: dict[str, Source] = {
    "/company": Source("get_company_settings"),
    "/company/users": Source("list_company_users", at="user_id"),
    "a team member's name": Source("list_company_users", at="full_name"),
    "/approvals": Source("list_approvals", "create_task", made_at="approval_id", bearer="approval"),
    "text agents": Source("list_agents", asked={"type": "text"}),
    "automation runs": Source("list_automation_runs", "trigger_automation"),
    "private images": Source("list_files", asked={"type": "image"}, where={"is_public": False}),
    "unprovisioned agents": Source("list_agents", where={"version": 0, "language": "en-AU", "last_synced_at": None, "agent_name": "Ivy, after hours"}),
    "agent calls": Source(made="start_agent_call"),
    "/opportunities/:id/product-costs/:opportunityProductId": Source(
        "list_opportunity_product_costs", "create_opportunity_product_cost"
    ),
    "images": Source("list_files", "upload_file", asked={"type": "image"}),
    "document files": Source(
        "list_files", "upload_file", asked={"type": "document"}, made_with={"base64": "aGVsbG8=", "name": "report.txt", "type": "document"}
    ),
    "other service requests": Source("list_service_requests", at="1.id"),
    "own numbers": Source("list_phone_numbers", at="phone_number"),
    "/files": Source("list_files", "upload_file"),
    "/report-dashboards/:id/cards": Source("get_report_dashboard", "create_report_card", at="cards.0.id"),
    "/training-canvases/:id/cards": Source("get_training_canvas", "add_training_card", at="cards.0.id"),
    "/report-funnels": Source("get_report_funnel", "set_report_funnel"),
    "/reputation/profile": Source("get_reputation_profile", "save_reputation_profile"),
    "/phone/numbers": Source("list_phone_numbers", "buy_phone_number"),
    "/signing/envelopes": Source("list_signing_envelopes", "send_document_for_signing"),
    "recipients": Source("get_signing_envelope", at="recipients.0.id"),
    "/lead-gen/searches": Source("list_lead_searches", where={"status": "completed"}),
    "lead results": Source("lead_gen_get_search", at="results.0.id"),
    "lead places": Source("lead_gen_get_search", at="results.0.place_id"),
    "Evie's threads": Source(made="chat_with_evie", made_at="thread.thread_id"),
    "/schemas/triggers": Source("list_trigger_schemas", at="trigger_type"),
    "/voices/provider-catalog": Source("list_provider_voices", at="voice_id"),
    "completed submissions": Source("list_form_submissions", where={"status": "completed"}),
    "/forms/submissions": Source("list_form_submissions", "send_form"),
    "numbers on sale": Source("search_phone_numbers", at="0.phone_number"),
    "managed agents": Source("list_registered_agents", where={"runtime": "managed_agents"}),
    "Xero": Source("list_integrations", where={"platform_type": "xero"}),
    "columns": Source("get_spreadsheet", at="parent_columns.0.id"),
    "/service-requests/:id/notes": Source("get_service_request", "add_service_request_note", at="notes.0.id", made_at="notes.0.id"),
    "free days": Source("list_available_slots", at="dates.0.date"),
    "free times": Source("list_available_slots", at="dates.0.slots.0.time"),
    "free moments": Source("list_available_slots", at="dates.0.slots.0.start_time"),
}  # fmt: skip

# Values of parameters whose schema leaves too much open.
VALUES: dict[str, Any] = {
    "deal_id": NAMED, "slug": "contract-{n}", "websites.slug": "contract-{n}", "principal_id": NAMED, "trigger_type": "stage_changed",
    "get_trigger_schema.trigger_type": "stage_changed", "place_id": NAMED, "team_member_name": NAMED, "retell_voice_id": NAMED,
    "buy_phone_number.phone_number": NAMED, "principal_type": "user", "message": "hello", "add_training_card.resource_type": "link",
    "add_training_card.url": "https://contract.example/course",
}  # fmt: skip

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_FLOW = {
    "global_prompt": "Be brief.", "start_node_id": "start",
    "nodes": [{"id": "start", "type": "conversation", "instruction": {"type": "prompt", "text": "Say hello."}}],
}  # fmt: skip
_BOOKED = {
    "event_type_id": NAMED, "date": "{free days}", "time": "{free times}", "full_name": "John Smith", "email": "john{n}@contract.example"
}  # fmt: skip

# Arguments instead of the definition's example; ids and "{collection}" become ids of records, "{n}" a number.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "list_agents": {"type": "voice"},
    "register_agent": {"name": "contract-agent-{n}", "display_name": "Contract agent"},
    "update_managed_agent_definition": {"agent": {"system_prompt": "Contract prompt {n}"}},
    "update_voice_agent_flow": {"flow": _FLOW},
    "upload_file": {"base64": _PIXEL, "name": "pixel{n}.png", "type": "image", "mime_type": "image/png"},
    "create_form_template": {"name": "Contract form {n}"},
    "add_auto_queue_step": {"step": {"name": "Tell them", "delay_days": 1, "action_type": "apply_tags", "config": {"tags": ["contract"]}}},
    "create_contact": {"first_name": "Contract{n}", "email": "contact{n}@contract.example", "phone": "+61491570156"},
    "start_agent_call": {"to_number": "+61491570006", "from_number": "{own numbers}"},
    "create_scheduled_event_type": {"name": "Contract visit {n}", "is_meeting": True, "is_bookable": True},
    "update_auto_queue_step": {"step": {"delay_days": 2}},
    "bulk_enroll_auto_queue": {"contact_ids": [NAMED]},
    "create_automation": {"name": "Contract automation {n}", "trigger_type": "deal_updated"},
    "create_email_campaign": {"name": "Contract mailing {n}", "subject": "News", "body_html": "<p>Hi</p>", "segment_filter": {"exclude_unsubscribed": True}},
    "create_export_view": {"name": "Contract view {n}"},
    "create_notepad": {"title": "Contract note {n}", "content": "# Next steps\n- Wait", "visibility": "restricted"},
    "create_notepad_folder": {"name": "Contract folder {n}", "visibility": "restricted"},
    "create_report_dashboard": {"name": "Contract dashboard {n}", "visibility": "restricted"},
    "create_spreadsheet_row": {"cells": {"{columns}": "Send proposal"}},
    "update_spreadsheet_row": {"cells": {"{columns}": "Send it again {n}"}},
    "create_spreadsheet_rows": {"rows": [{"cells": {"{columns}": "One"}}, {"cells": {"{columns}": "Two"}}]},
    "create_booking": _BOOKED,
    "list_available_slots": {"event_type_id": NAMED},
    "book_voice_slot": {"slot": "{free moments}", "name": "John Smith", "email": "john{n}@contract.example"},
    "schedule_communication": {
        "channel": "sms", "scheduled_for": "2031-05-01T09:00:00Z",
        "payload": {"phone_number_id": NAMED, "to_number": "+61491570006", "message_body": "See you at ten."},
    },
    "record_lead_outcome": {"search_id": NAMED, "place_id": "{lead places}", "result_type": "contacted"},
    "set_report_funnel": {"pipeline_id": NAMED, "steps": [{"name": "All", "stage_ids": [NAMED]}]},
    "create_outgoing_webhook": {"name": "Contract hook {n}", "url": "https://hooks.contract.example/a"},
    "run_integration_action": {"action_type": "xero_create_contact", "params": {"name": "Contract Pty Ltd {n}"}},
    "coach_transcript_with_ai": {"transcript_id": NAMED, "team_member_name": "{a team member's name}"},
    "buy_phone_number": {"phone_number": "{numbers on sale}"},
    "set_provider_voice_mapping": {"retell_voice_id": "{/voices/provider-catalog}"},
    "grant_notepad_access": {"principal_type": "user", "principal_id": NAMED},
    "grant_notepad_folder_access": {"principal_type": "user", "principal_id": NAMED},
    "grant_report_dashboard_access": {"principal_type": "user", "principal_id": NAMED},
}  # fmt: skip

# What must have been called before, for the same records.
BEFORE: dict[str, tuple[str, ...]] = {
    "publish_voice_agent": ("update_voice_agent_flow",),
    "start_agent_call": ("update_voice_agent_flow", "publish_voice_agent"),
    "bulk_enroll_auto_queue": ("add_auto_queue_step",),
    "trigger_automation": ("enable_automation",),
    "unpublish_file": ("publish_file",), "make_file_public": ("make_file_private",), "publish_review": ("approve_review",),
    "send_document_for_signing": ("create_document_template_section",), "send_work_order_status": ("create_work_order",),
    "unlink_contact_employer": ("link_contact_employer",),
    "remove_opportunity_contact": ("add_opportunity_contact",), "unassign_opportunity_user": ("assign_opportunity_user",),
    "remove_opportunity_file": ("add_opportunity_file",), "remove_opportunity_document": ("add_opportunity_document",),
    "remove_opportunity_image": ("add_opportunity_image",), "remove_opportunity_spreadsheet": ("add_opportunity_spreadsheet",),
}  # fmt: skip
