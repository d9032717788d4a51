"""What the AI and communication features cost in credits.

The reference states some prices; the others it leaves to GET /billing/pricing, and those here are the sandbox's own.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Price:
    """One feature: credits per use, and what a use is."""

    feature_key: str
    credits_per_use: float
    category: str
    description: str


PRICES = (
    Price("ai_edit_text", 1, "ai", "Rewrite, translate or summarise a text"),
    Price("ai_call_coaching", 3, "ai", "Coaching of one transcript"),
    Price("ai_generate_pipeline", 3, "ai", "A pipeline from a description"),
    Price("ai_transcript_summary", 1, "ai", "Summary of one transcript"),
    Price("ai_image", 8, "ai", "Generate, edit or upscale one image"),
    Price("ai_speech", 50, "ai", "Speech, per 100 characters, at least 50"),
    Price("ai_tool_generate", 10, "ai", "A form, document, whiteboard or website from a prompt"),
    Price("evie_message", 1, "ai", "One message to Evie"),
    Price("evie_compact", 1, "ai", "Summary of a long conversation with Evie"),
    Price("transcription", 12, "voice", "Transcription, per minute"),
    Price("notetaker_minute", 23, "voice", "Notetaker in a meeting, per recorded minute"),
    Price("voice_agent_minute", 12, "voice", "Call of a voice agent, per minute"),
    Price("lead_gen_search", 1, "leads", "Lead search, per page"),
    Price("form_pdf_page", 1, "documents", "PDF of a form submission, per page"),
    Price("email_send", 0, "messages", "One email"),
    Price("sms_send", 8, "messages", "One SMS part"),
)
_BY_KEY = {price.feature_key: price for price in PRICES}
_BY_TOOL = {
    "edit_text_with_ai": "ai_edit_text", "coach_transcript_with_ai": "ai_call_coaching",
    "generate_pipeline_with_ai": "ai_generate_pipeline", "summarize_transcript_with_ai": "ai_transcript_summary",
}  # fmt: skip


def credits(feature_key: str) -> float:
    """The price of one use."""
    return _BY_KEY[feature_key].credits_per_use


def feature_of(operation: str) -> str:
    """The feature key of what was charged: tools with a fixed price are charged by their own names."""
    return _BY_TOOL.get(operation, operation)


def description_of(operation: str) -> str:
    """What was charged, in words."""
    price = _BY_KEY.get(feature_of(operation))
    return price.description if price else operation.replace("_", " ")
