"""What a recipient filled in: judged by the form's fields."""

from __future__ import annotations

from typing import Any

from .checks import moment
from .errors import invalid
from .store import Record


def options_of(field: Record) -> list[Any]:
    """The values that may be chosen; options are strings, or objects with a value or label."""
    options = (field["content"] or {}).get("options") or []
    return [o.get("value", o.get("label")) if isinstance(o, dict) else o for o in options]


def checked(fields: list[Record], given: Any) -> Record:
    """The answers by field. Raises VALIDATION_ERROR naming every answer that is wrong or missing."""
    if not isinstance(given, dict):
        raise invalid("answers must be an object by field id", field="answers")
    known = {f["id"]: f for f in fields}
    problems = {name: "is no field of this form" for name in given if name not in known}
    answers: Record = {}
    for field_id, field in known.items():
        value = given.get(field_id)
        if value is None or value in ("", [], {}):
            if field["is_required"]:
                problems[field_id] = f"{field['label']} is required"
        elif problem := _problem(field, value):
            problems[field_id] = f"{field['label']} must be {problem}"
        else:
            answers[field_id] = value
    if problems:
        raise invalid(f"answers: {next(iter(problems.values()))}", fields=problems)
    return answers


def _problem(field: Record, value: Any) -> str | None:
    """What the answer should have been; None when it is right."""
    options = options_of(field)
    match field["type"]:
        case "number":
            return None if isinstance(value, (int, float)) and not isinstance(value, bool) else "a number"
        case "date":
            return None if isinstance(value, str) and len(value) == 10 and moment(value) else "a date, like 2026-06-30"
        case "checkbox":
            if not options:
                return None if isinstance(value, bool) else "true or false"
            right = isinstance(value, list) and all(v in options for v in value)
            return None if right else f"a list of {', '.join(map(str, options))}"
        case "file":
            right = isinstance(value, dict) and isinstance(value.get("name"), str) and isinstance(value.get("base64"), str)
            return None if right else "a file: {name, base64, mime_type?}"
        case "spreadsheet":
            right = isinstance(value, list) and all(isinstance(row, dict) for row in value)
            return None if right else "a list of rows: objects by column id"
        case "select" | "radio" if options:
            return None if value in options else f"one of {', '.join(map(str, options))}"
    return None if isinstance(value, str) else "a text"
