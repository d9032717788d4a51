"""Guidance for agents that use the API, as one structured answer."""

from __future__ import annotations

from ..engine import Answer, Handler
from ..store import Record

_INSTRUCTIONS: Record = {
    "version": "sandbox-1",
    "email_sending": [
        "Check GET /email/capabilities before the first send: without a default sender nothing leaves.",
        "Attach the message to its contact and opportunity, so that the thread shows up on their pages.",
        "Never write to contacts who have unsubscribed; a send to them is suppressed.",
    ],
    "automation_setup": [
        "Create the automation first, then its triggers, then its actions, and enable it last.",
        "Stage triggers name the stage by stage_id. Read the pipeline's stages first.",
        "Ask for skip_automations when records are imported or corrected in bulk.",
    ],
    "deal_management": [
        "Opportunities are called deals in older paths and fields: deal_id is an opportunity's id, customer_id a company's.",
        "A stage belongs to one pipeline: send pipeline_id and stage_id together.",
        "PATCH replaces metadata as a whole: read it, merge, then write.",
    ],
    "scheduling": [
        "Ask for free slots before booking, in the attendee's time zone, and offer the nearest ones when a slot is gone.",
        "Times are ISO 8601; without a zone they are taken as UTC.",
    ],
    "document_workflows": [
        "Template, then document, then signing: a document is made from a template's sections and the deal's data.",
        "A document that was sent for signing is changed by voiding it and sending another.",
    ],
    "formatting_rules": [
        "Phone numbers are E.164; mobiles go into phone, fixed lines into landline.",
        "Tags carry a name and a #rrggbb colour.",
        "Lists are paged: follow pagination.next_cursor until has_more is false.",
    ],
    "common_mistakes": [
        "Creating a contact without searching for it first: search by email and phone, then create.",
        "Repeating a write after a timeout: read the record first, or send the same Idempotency-Key.",
        "Taking 202 pending_approval for success: the write waits for a person.",
    ],
}

HANDLERS: dict[str, Handler] = {"get_ai_instructions": lambda _: Answer(_INSTRUCTIONS)}
