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
    "default_pipeline_id": "/pipelines", "retell_voice_id": "/voices/provider-catalog", "render_form_submission_pdf.submission_id": "completed submissions",
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
    "private images": Source("list_files", "make_file_private", asked={"type": "image"}, where={"is_private": True}),
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
    "later days": Source("list_available_slots", at="dates.1.date"),
    "later times": Source("list_available_slots", at="dates.1.slots.0.time"),
    "bookers' phones": Source("get_contact", at="phone"),
    "other websites": Source("list_websites", at="1.id"),
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
    "event_type_id": NAMED, "date": "{free days}", "time": "{free times}", "full_name": "John Smith", "email": "john{n}@contract.example",
    "phone": "+614915{n}",
}  # fmt: skip

# Arguments instead of the definition's example; ids and "{collection}" become ids of records, "{n}" a number.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "list_agents": {"type": "voice"}, "search_knowledge": {"query": "warranty of the panels"},
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
    "book_voice_slot": {"slot": "{free days} {free times}", "name": "John Smith", "email": "john{n}@contract.example"},
    "schedule_communication": {
        "channel": "sms", "scheduled_for": "2031-05-01T09:00:00Z",
        "payload": {"phone_number_id": NAMED, "to_number": "+61491570006", "message_body": "See you at ten."},
    },
    "record_lead_outcome": {"search_id": NAMED, "place_id": "{lead places}", "result_type": "contacted"},
    "set_report_funnel": {"pipeline_id": NAMED, "steps": [{"name": "All", "stage_ids": [NAMED]}]},
    "cancel_voice_booking": {"phone": "{bookers' phones}"},
    "reschedule_voice_booking": {"phone": "{bookers' phones}", "new_slot": "{later days} {later times}"},
    "update_agent_website_config": {"website_id": "{other websites}"}, "update_agent_outbound_config": {"website_id": "{other websites}"},
    "update_automation_action": {"sequence": 5}, "update_workspace_user_role": {"role": "client_editor"},
    "update_workspace_user_preferences": {"default_pipeline_id": NAMED},
    "update_document_template_section": {"is_visible": False}, "update_work_order": {"status": "Complete"},
    "mark_email_threads_read": {"all": True},
    "create_opportunity_product_cost": {"label": "Steel", "unit_cost": 4, "supplier_id": NAMED},
    "create_product_cost": {"label": "Steel", "cost_price": 4, "supplier_id": NAMED},
    "send_report_dashboard": {"dashboard_id": NAMED, "recipients": ["digest{n}@contract.example"], "suppress_if_empty": False},
    "reorder_document_template_sections": {"section_ids": "{all /document-templates/:id/sections}"},
    "reorder_form_fields": {"field_ids": "{all /forms/templates/:id/fields}"},
    "reorder_opportunity_products": {"product_ids": "{all /opportunities/:id/products}"},
    "reorder_website_sections": {"section_ids": "{all /websites/:id/pages/:pageId/sections}"},
    "reorder_automation_actions": {"action_ids": "{all /automations/:id/actions}"},
    "reorder_report_cards": {"card_ids": "{all /report-dashboards/:id/cards}"},
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
    **{f"reorder_{things}": (maker, maker) for things, maker in {
        "document_template_sections": "create_document_template_section", "form_fields": "create_form_field",
        "opportunity_products": "add_opportunity_product", "website_sections": "create_website_section",
        "automation_actions": "add_automation_action", "report_cards": "create_report_card",
    }.items()},
    "cancel_voice_booking": ("create_booking",), "reschedule_voice_booking": ("create_booking",),
    "unpublish_file": ("publish_file",), "make_file_public": ("make_file_private",), "publish_review": ("approve_review",),
    "send_document_for_signing": ("create_document_template_section",), "send_work_order_status": ("create_work_order",),
    "unlink_contact_employer": ("link_contact_employer",),
    "remove_opportunity_contact": ("add_opportunity_contact",), "unassign_opportunity_user": ("assign_opportunity_user",),
    "remove_opportunity_file": ("add_opportunity_file",), "remove_opportunity_document": ("add_opportunity_document",),
    "remove_opportunity_image": ("add_opportunity_image",), "remove_opportunity_spreadsheet": ("add_opportunity_spreadsheet",),
}  # fmt: skip

# The read that shows what a write did, where it is not the read of the same path.
SHOWN_BY: dict[str, str] = {
    "sync_help_center_to_knowledge_base": "list_agent_knowledge_documents", "attach_agent_knowledge_base": "get_agent",
    "acknowledge_agent_alert": "list_agent_alerts", "test_registered_agent": "list_agent_runs",
    "start_agent_call": "list_agent_calls", "bulk_enroll_auto_queue": "list_auto_queue_enrollments",
    "fire_auto_schedule": "list_auto_schedule_runs", "trigger_automation": "list_automation_runs",
    "execute_automation_action": "list_email_logs", "update_auto_queue_step": "get_auto_queue", "delete_auto_queue_step": "get_auto_queue",
    "send_email": "list_email_logs", "reply_to_email": "list_email_logs", "send_report_dashboard": "list_email_logs",
    "send_work_order_status": "list_email_logs", "send_sms": "list_sms_conversations",
    "coach_transcript_with_ai": "list_transcript_coaching", "optimize_image": "get_file", "send_form": "list_form_submissions",
    "generate_form_with_ai": "list_form_templates", "generate_document_with_ai": "list_document_templates",
    "generate_website_page_with_ai": "list_websites",
    "duplicate_document_template": "list_document_templates", "duplicate_form_template": "list_form_templates",
    "wire_form_fields": "list_form_fields", "render_form_submission_pdf": "list_documents",
    "start_lead_search": "list_lead_searches", "import_lead_results": "list_contacts", "record_lead_outcome": "lead_gen_get_search",
    "enrol_initiative_leads": "list_initiative_enrolments", "update_initiative_step": "get_initiative", "delete_initiative_step": "get_initiative",
    "update_training_card": "get_training_canvas", "delete_training_card": "get_training_canvas",
    "create_opportunity_product_cost": "list_opportunity_product_costs", "update_opportunity_product_cost": "list_opportunity_product_costs",
    "delete_opportunity_product_cost": "list_opportunity_product_costs", "send_referral_request": "list_referral_requests",
    "update_report_card": "get_report_dashboard", "delete_report_card": "get_report_dashboard", "reorder_report_cards": "get_report_dashboard",
    "approve_review": "list_reviews", "publish_review": "list_reviews", "revoke_notepad_access": "list_notepad_access",
    "update_export_view": "list_export_views", "delete_export_view": "list_export_views",
    "update_service_request_note": "get_service_request", "send_document_for_signing": "list_signing_envelopes",
    "book_voice_slot": "list_bookings", "cancel_voice_booking": "list_bookings", "reschedule_voice_booking": "list_bookings",
    "test_outgoing_webhook": "list_outgoing_webhook_logs", "bulk_move_opportunities": "get_opportunity",
    **{f"{name}_with_ai": "list_credit_usage" for name in (
        "edit_text", "generate_pipeline", "generate_image", "edit_image", "upscale_image", "generate_speech",
        "generate_whiteboard", "summarize_transcript",
    )},
}  # fmt: skip

# Writes that no read shows, and why.
UNSHOWN: dict[str, str] = {
    "analyze_opportunity_needs_with_ai": "answers an analysis and keeps nothing",
    "fill_form_with_ai": "answers a draft and keeps nothing",
    "update_managed_agent_definition": "the API has no read of a definition; its answer tells the new version",
    "create_evie_token": "the token is the answer; what it opens is tested by calling Evie with it",
    "chat_with_evie": "a conversation is shown by the stream only",
    "compact_evie_thread": "a conversation is shown by the stream only",
    "upload_public_image": "the answer is an address; test_sandbox_reputation fetches it",
    "run_initiative_dispatcher": "sends what is due only; test_sandbox_initiatives has something due",
    "execute_automation_action": "what it does depends on the action; test_sandbox_automations runs each type",
}
# Deleted records that stay readable, as the reference says, and what they then hold.
KEPT_AFTERWARDS: dict[str, dict[str, Any]] = {
    "cancel_scheduled_communication": {"status": "cancelled"},
}
# What an update changes, where the first plain text would not do.
CHANGES: dict[str, dict[str, Any]] = {
    "update_agent": {"agent_name": "Changed name"},
    "update_email_config": {"from_name": "Changed name"},
}
# Further arguments of reads that show what writes did.
SHOWN_WITH: dict[str, dict[str, Any]] = {}
# Calls that reach people or spend money beyond what the suite makes: never sent to a live workspace.
NEVER_LIVE: dict[str, str] = {
    "send_email_campaign": "would write to the workspace's own contacts", "run_initiative_dispatcher": "would write to real leads",
    "fire_auto_schedule": "would act on the workspace's own records", "buy_phone_number": "would buy a number",
    "release_phone_number": "would give up a number", "update_phone_number": "would need a number of the suite's own",
    "invite_company_user": "would invite a stranger", "mark_email_threads_read": "would mark the team's own mail",
    "mark_sms_conversations_read": "would mark the team's own messages", "submit_phone_bundle": "would start a regulator's review",
    "test_registered_agent": "would start an agent", "approve_agent_proposal": "would execute what an agent asked for",
    "save_reputation_profile": "would change the workspace's own profile", "sync_provider_voices": "would map the workspace's own voices",
}  # fmt: skip

# Columns that the records of one kind have, and by which field those are known.
OF_ONE_KIND: dict[str, dict[str, dict[str, Any]]] = {
    "agent": {"name": {"type": "text"}, **{c: {"type": "voice"} for c in ("agent_name", "agent_id", "language", "voice_id")}},
    "email_message": {"has_attachment": {"direction": "outbound"}},
}  # fmt: skip
# Columns that only one tool answers, and always.
ANSWERED_BY: dict[str, dict[str, str]] = {"knowledge_entry": {"similarity": "search_knowledge"}}
# Other valid arguments, where a tool has two forms of answer.
OTHER_FORMS: dict[str, dict[str, Any]] = {
    "list_agents": {"type": "text"}, "create_agent": {"type": "text", "name": "Contract chat"},
}  # fmt: skip
# Lists that do not stand alone in the answer's data.
WRAPPED: dict[str, str] = {"list_evie_tools": "tools", "render_form_submission_pdf": "document"}
# Fields that the workspace keeps in words of its own.
REWORDED: dict[str, tuple[str, ...]] = {}
