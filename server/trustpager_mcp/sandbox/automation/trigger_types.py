"""The 43 trigger types: what each hands on, by a sample, and from which kind of source it comes."""

from __future__ import annotations

from typing import Any

from ..store import Record

_CONTACT = {"id": "5f1d2c7e-9a40-4a53-8f0e-0c1f6a7b2d11", "first_name": "Sarah", "last_name": "Nguyen",
            "email": "sarah.nguyen@mail.example", "phone": "+61412345678", "contact_type": "Decision Maker"}  # fmt: skip
_CUSTOMER = {"id": "0b7c1a94-6d1f-4c06-9a51-6f3d5b8e2c22", "name": "Wattle Builders", "account_type": "Client",
             "industry": "Construction"}  # fmt: skip
_DEAL = {"id": "c3a9e8d1-2b64-4f7a-b0c8-1d2e3f4a5b33", "name": "Rooftop solar 6.6 kW", "status": "open", "value": 9800,
         "currency": "AUD", "lead_source": "website", "tags": [{"name": "vip", "color": "#3b82f6"}]}  # fmt: skip
_FORM = {"form_template_id": "7e2d4c6b-8f90-4a1b-9c2d-3e4f5a6b7c44", "form_name": "Site questionnaire",
         "submission_id": "9a8b7c6d-5e4f-4a3b-8c1d-0e9f8a7b6c55", "recipient_email": "sarah.nguyen@mail.example"}  # fmt: skip
_CALL = {"call_id": "call_7f3a", "voice_agent_id": "agent_solar", "direction": "inbound", "from_number": "+61412345678",
         "to_number": "+61290001234"}  # fmt: skip
_SIGNATURE = {"envelope_id": "1d2e3f4a-5b6c-4d7e-8f90-a1b2c3d4e566",
"signature_template_id": "2e3f4a5b-6c7d-4e8f-90a1-b2c3d4e5f677",
              "document_name": "Install agreement", "signer_name": "Sarah Nguyen",
              "signer_email": "sarah.nguyen@mail.example"}  # fmt: skip
_BOOKING = {"booking_id": "3f4a5b6c-7d8e-4f90-a1b2-c3d4e5f6a788", "event_type_id": "4a5b6c7d-8e9f-40a1-b2c3-d4e5f6a7b899",
            "event_type_name": "Site visit", "customer_name": "Sarah Nguyen", "customer_email": "sarah.nguyen@mail.example",
            "start_time": "2026-07-01T00:00:00Z", "end_time": "2026-07-01T00:30:00Z", "date": "Wednesday 1 July 2026",
            "time": "10:00 AM", "deal_id": _DEAL["id"], "contact_id": _CONTACT["id"]}  # fmt: skip
_INVOICE = {"invoice_id": "INV-1042", "invoice_number": "INV-1042", "contact_name": "Wattle Builders", "total": 9800,
            "amount_due": 0, "currency": "AUD"}  # fmt: skip


def _entity(name: str, record: Record, **more: Any) -> Record:
    return {name: record, f"{name}_id": record["id"], "_trigger_entity_kind": name, "_trigger_entity_id": record["id"], **more}


def _changed(name: str, record: Record, field: str, before: Any) -> Record:
    return _entity(name, record, _changed_fields=[field], _previous_values={field: before})


# type: (label, what sets it off, source type, sample of its trigger data)
TRIGGER_TYPES: dict[str, tuple[str, str, str, Record]] = {
    "stage_changed": ("Stage changed", "An opportunity's card enters the stage named by stage_id.", "any",
        _entity("deal", _DEAL, pipeline_name="Sales", stage_name="Quote Sent", previous_stage_id=None,
        contact_id=_CONTACT["id"])),
    "contact_created": ("Contact created", "A contact is added.", "any", _entity("contact", _CONTACT)),
    "contact_updated": ("Contact updated", "A field of a contact changes.", "any",
        _changed("contact", _CONTACT, "email", "sarah@old.example")),
    "customer_created": ("Company created", "A company is added.", "any", _entity("customer", _CUSTOMER)),
    "customer_updated": ("Company updated", "A field of a company changes.", "any",
        _changed("customer", _CUSTOMER, "industry", None)),
    "deal_created": ("Opportunity created", "An opportunity is added.", "any",
        _entity("deal", _DEAL, contact_id=_CONTACT["id"], customer_id=_CUSTOMER["id"])),
    "deal_updated": ("Opportunity updated", "A field of an opportunity changes.", "any", _changed("deal", _DEAL, "status",
    "open")),
    "form_sent": ("Form sent", "A form goes out to a recipient.", "form_template", _FORM),
    "form_completed": ("Form completed", "A recipient completes a form.", "form_template",
        {**_FORM, "answers": {"roof_type": "Tile", "storeys": 2}, "contact_id": _CONTACT["id"]}),
    "form_submitted": ("Form submitted (deprecated)", "Replaced by form_completed; new automations cannot use it.",
    "form_template",
        {**_FORM, "answers": {"roof_type": "Tile"}}),
    "call_started": ("Call started", "A voice agent's call begins.", "voice_agent", _CALL),
    "call_ended": ("Call ended", "A voice agent's call ends.", "voice_agent", {**_CALL, "duration_seconds": 184}),
    "call_analyzed": ("Call analysed", "A finished call has its summary.", "voice_agent",
        {**_CALL, "duration_seconds": 184, "call_status": "completed", "call_summary": "Wants a battery quote.",
         "user_sentiment": "Positive", "custom_analysis": {"interested": True}}),
    "sms_received": ("SMS received", "A text comes in on one of the workspace's numbers.", "sms",
        {"phone_number_id": "5b6c7d8e-9f01-41b2-83d4-e5f6a7b8c900", "from_number": "+61412345678", "to_number": "+61480001234",
         "message_body": "Yes please, Tuesday suits"}),
    "email_received": ("Email received", "An email comes in to a connected mailbox.", "email",
        {"from_email": "sarah.nguyen@mail.example", "from_name": "Sarah Nguyen", "subject": "Re: your quote",
         "body_text": "Looks good.", "thread_id": "thread_19"}),
    "email_bounced": ("Email bounced", "A sent email cannot be delivered.", "email",
        {"recipient_email": "old@mail.example", "subject": "Your quote", "bounce_type": "hard",
         "bounce_reason": "mailbox unknown"}),
    "document_sent": ("Document sent", "A document goes out to a recipient.", "document_template",
        {"document_id": "6c7d8e9f-0112-42c3-94e5-f6a7b8c9d011", "document_template_id": "7d8e9f01-1223-43d4-a5f6-a7b8c9d0e122",
         "document_name": "Solar proposal", "recipient_email": "sarah.nguyen@mail.example"}),
    "signature_sent": ("Signature requested", "An envelope goes out for signing.", "signature_template", _SIGNATURE),
    "signature_viewed": ("Signature viewed", "A signer opens the envelope.", "signature_template", _SIGNATURE),
    "signature_completed": ("Signature completed", "Every signer has signed.", "signature_template",
        {**_SIGNATURE, "completed_at": "2026-06-15T02:00:00Z", "input_values": {"meter_number": "NMI-4103"}}),
    "signature_declined": ("Signature declined", "A signer declines.", "signature_template",
        {**_SIGNATURE, "decline_reason": "Wrong address"}),
    "checkout_completed": ("Checkout completed", "An order form is paid.", "any",
        {"order_id": "8e9f0112-2334-44e5-b6a7-b8c9d0e1f233", "order_form_name": "Maintenance plan",
         "customer_name": "Sarah Nguyen",
         "customer_email": "sarah.nguyen@mail.example", "amount_total": 299, "currency": "AUD"}),
    "booking_created": ("Booking created", "Someone books an appointment.", "platform_integration", _BOOKING),
    "booking_cancelled": ("Booking cancelled", "A booking is called off.", "platform_integration",
        {**_BOOKING, "cancellation_reason": "Rain"}),
    "booking_rescheduled": ("Booking rescheduled", "A booking moves to another time.", "platform_integration",
        {**_BOOKING, "previous_start_time": "2026-06-30T00:00:00Z"}),
    "booking_attended": ("Booking attended", "The booker came.", "platform_integration", _BOOKING),
    "booking_late": ("Booking late", "The booker is late.", "platform_integration", _BOOKING),
    "booking_no_show": ("Booking no-show", "The booker never came.", "platform_integration", _BOOKING),
    "webhook": ("Webhook", "An inbound webhook receives a request.", "webhook",
        {"webhook_id": "9f011223-3445-45f6-87b8-c9d0e1f2a344", "body": {"email": "sarah.nguyen@mail.example", "plan": "Gold"}}),
    "generic_webhook": ("Generic webhook", "A mapped webhook receives a request.", "webhook",
        {"email": "sarah.nguyen@mail.example", "first_name": "Sarah", "phone": "+61412345678"}),
    "zapier": ("Zapier", "A Zap sends data.", "webhook", {"email": "sarah.nguyen@mail.example", "first_name": "Sarah"}),
    "typeform": ("Typeform", "A Typeform is answered.", "webhook",
        {"form_id": "tf_81", "email": "sarah.nguyen@mail.example", "answers": {"budget": "5-10k"}}),
    "facebook_lead_ad": ("Facebook lead ad", "Someone fills a lead form on Facebook or Instagram.", "platform_integration",
        {"leadgen_id": "30211", "form_name": "Battery rebate", "ad_name": "Autumn batteries", "campaign_name": "Batteries",
         "full_name": "Sarah Nguyen", "first_name": "Sarah", "email": "sarah.nguyen@mail.example", "phone": "+61412345678"}),
    "xero_invoice_created": ("Xero invoice created", "An invoice is raised in Xero.", "platform_integration", _INVOICE),
    "xero_invoice_paid": ("Xero invoice paid", "An invoice is paid in Xero.", "platform_integration", _INVOICE),
    "xero_contact_created": ("Xero contact created", "A contact is added in Xero.", "platform_integration",
        {"xero_contact_id": "xc_77", "name": "Wattle Builders", "email": "office@wattlebuilders.example"}),
    "zoom_meeting_ended": ("Zoom meeting ended", "A Zoom meeting ends.", "platform_integration",
        {"meeting_id": "842", "topic": "Quote walk-through", "duration_minutes": 32, "host_email": "jack@brightside.example"}),
    "zoom_recording_completed": ("Zoom recording ready", "A Zoom recording is processed.", "platform_integration",
        {"meeting_id": "842", "topic": "Quote walk-through", "recording_url": "https://zoom.example/rec/842"}),
    "calcom_booking_created": ("Cal.com booking", "A Cal.com booking is made.", "platform_integration",
        {"uid": "cal_5", "title": "Site visit", "start_time": "2026-07-01T00:00:00Z", "email": "sarah.nguyen@mail.example"}),
    "calcom_booking_cancelled": ("Cal.com booking cancelled", "A Cal.com booking is called off.", "platform_integration",
        {"uid": "cal_5", "title": "Site visit", "cancellation_reason": "Rain", "email": "sarah.nguyen@mail.example"}),
    "api": ("API or schedule", "Triggered through the API, by a schedule or by hand.", "any",
        {"deal_id": _DEAL["id"], "contact_id": _CONTACT["id"]}),
    "trustpager_signup": ("Platform sign-up", "Someone signs up through the workspace's link.", "any",
        {"email": "sarah.nguyen@mail.example", "full_name": "Sarah Nguyen", "company_name": "Wattle Builders"}),
    "referral_attributed": ("Referral attributed", "A referral is recorded or changed.", "any",
        {"referral_id": "a0112233-4455-46a7-98c9-d0e1f2a3b455", "referrer_contact_id": _CONTACT["id"],
         "referred_deal_id": _DEAL["id"],
         "category": "Past client", "status": "pending", "source": "manual", "deal_id": _DEAL["id"]}),
}  # fmt: skip
SOURCE_TYPES: dict[str, str] = {name: source for name, (_, _, source, _) in TRIGGER_TYPES.items()}

# What the CRM adds to every trigger once its records are matched.
ENRICHED: dict[str, list[str]] = {
    "contact": ["id", "first_name", "last_name", "display_name", "full_name", "greeting", "email", "phone", "landline",
    "job_title",
                "source", "contact_type", "timezone", "city", "state", "country", "metadata.<field_id>"],
    "deal": ["id", "name", "status", "value", "currency", "lead_source", "tags", "notes", "pipeline_name", "stage_name",
             "metadata.<field_id>"],
    "customer": ["id", "name", "email", "phone", "landline", "industry", "website", "account_type", "metadata.<field_id>"],
    "account": ["id", "name", "email", "phone", "landline", "industry", "website", "account_type", "metadata.<field_id>"],
    "assigned_user": ["id", "name", "email", "role"],
    "company": ["name", "email"],
}  # fmt: skip
GLOBALS = ("today", "now")


def variables(sample: Any, prefix: str = "") -> list[str]:
    """The {{names}} that a sample allows, its inner fields included."""
    if not isinstance(sample, dict):
        return [prefix] if prefix else []
    return [name for key, value in sample.items() for name in variables(value, f"{prefix}.{key}" if prefix else key)]


def schema(trigger_type: str) -> Record:
    """One trigger type as GET /schemas/triggers/:trigger_type shows it, without the enriched variables."""
    label, description, source_type, sample = TRIGGER_TYPES[trigger_type]
    return {
        "trigger_type": trigger_type, "label": label, "description": description, "source_type": source_type,
        "deprecated": trigger_type == "form_submitted", "sample_trigger_data": sample, "available_variables": variables(sample),
    }  # fmt: skip


def enriched_variables() -> Record:
    """Namespaces and their {{names}}, on every trigger."""
    spaces = {space: [f"{space}.{name}" for name in names] for space, names in ENRICHED.items()}
    return {**spaces, "globals": list(GLOBALS)}
