"""The types of what integrations take in `params`, which the definitions leave open."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

from .checks import moment
from .errors import invalid
from .store import Record

_TEXT = {"type": "string", "minLength": 1, "maxLength": 10_000}
_TEXTS = {"type": "array", "items": _TEXT}
_NUMBER = {"type": "number", "minimum": 0, "maximum": 1e12}
_LINE = {
    "type": "object",
    "properties": {
        "description": {"type": "string"}, "Description": {"type": "string"}, "unit_amount": _NUMBER, "UnitAmount": _NUMBER,
        "quantity": _NUMBER, "Quantity": _NUMBER,
    },
    "anyOf": [{"required": ["unit_amount"]}, {"required": ["UnitAmount"]}],
}  # fmt: skip
_TYPES: dict[str, Record] = {
    **dict.fromkeys((
        "name", "Name", "email", "EmailAddress", "search", "type", "status", "email_subject", "email_body", "email_recipient",
        "email_recipient_source", "contact_id", "contactId", "invoice_id", "InvoiceID", "deal_id", "account_code", "tax_type",
        "channel", "text", "message", "topic", "booking_id", "email_recipient_contact_id", "reference",
    ), _TEXT),
    "statuses": {"anyOf": [_TEXT, _TEXTS]}, "guests": _TEXTS, "line_items": {"type": "array", "minItems": 1, "items": _LINE},
    "periods": {"type": "integer", "minimum": 0, "maximum": 11}, "timeframe": {"enum": ["MONTH", "QUARTER", "YEAR"]},
    "schedule_period": {"type": "integer", "minimum": 1}, "total": _NUMBER, "page": {"type": "integer", "minimum": 1},
    "schedule_unit": {"enum": ["WEEKLY", "MONTHLY", "YEARLY"]},
    "email_mode": {"enum": ["none", "xero", "trustpager"]}, "email_attach_pdf": {"type": "boolean"},
    "approve_for_sending": {"type": "boolean"}, "payments_only": {"type": "boolean"},
}  # fmt: skip
_DATES = (
    "date", "from_date", "fromDate", "to_date", "toDate", "date_from", "dateFrom", "date_to", "dateTo", "due_date", "start_time",
    "start",
)  # fmt: skip
_VALIDATOR = Draft202012Validator({"properties": _TYPES})


def checked(params: Record) -> Record:
    """The params without those that are null. Raises VALIDATION_ERROR with a reason for each that cannot be."""
    given = {name: value for name, value in params.items() if value is not None}
    problems: dict[str, Any] = {}
    for error in _VALIDATOR.iter_errors(given):
        problems[".".join(["params", *map(str, error.absolute_path)])] = error.message[:200]
    problems.update(
        {f"params.{n}": "must be an ISO 8601 date or time" for n in _DATES if n in given and moment(given[n]) is None}
    )
    if problems:
        first, reason = next(iter(problems.items()))
        raise invalid(f"{first}: {reason}", fields=problems)
    if "due_date" in given:
        given["due_date"] = given["due_date"][:10]
    return given
