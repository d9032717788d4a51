"""What a request must look like: query and body judged by the definitions, with a reason for every problem."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from ..definitions import PATTERN_WORDS, Parameter, Rule, Tool, parameter_schema
from .errors import ApiError, invalid
from .uploads import Upload

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_WORDS = {
    "string": "a string", "integer": "a whole number", "number": "a number", "boolean": "true or false", "object": "an object",
    "array": "an array", "null": "null",
}  # fmt: skip
_DATES = ("date", "datetime", "date_or_datetime")


def is_uuid(value: Any) -> bool:
    """Whether the value is a UUID in its usual spelling."""
    if not isinstance(value, str) or len(value) != 36:
        return False
    try:
        return bool(UUID(value))
    except ValueError:
        return False


def is_email(value: Any) -> bool:
    """Whether the value is an address with a complete domain."""
    return isinstance(value, str) and bool(_EMAIL.fullmatch(value))


def moment(text: Any) -> datetime | None:
    """An ISO 8601 date or time as UTC; None when it is none."""
    if not isinstance(text, str):
        return None
    try:
        if len(text) == 10:
            return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
        parsed = datetime.fromisoformat(text)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _is_zone(name: Any) -> bool:
    try:
        return isinstance(name, str) and bool(ZoneInfo(name))
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return False


def kebab_case(text: str) -> str:
    """SignerInput and signer_input as signer-input."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", text).replace("_", "-").lower()


def _is_date(value: object) -> bool:
    return not isinstance(value, str) or (len(value) == 10 and moment(value) is not None)


_FORMATS = FormatChecker(formats=())
_FORMATS.checks("uuid")(lambda value: not isinstance(value, str) or is_uuid(value))
_FORMATS.checks("email")(lambda value: not isinstance(value, str) or is_email(value))
_FORMATS.checks("date")(_is_date)
_FORMATS.checks("date-time")(lambda value: not isinstance(value, str) or moment(value) is not None)
_FORMATS.checks("uri")(lambda value: not isinstance(value, str) or bool(re.match(r"https?://\S+$", value)))

_NOT_AN_EMAIL = "must be a valid email"

# Compiled once per parameter; the parameter is kept beside its validator, so that its id stays its own.
_compiled: dict[int, tuple[Parameter, Draft202012Validator]] = {}


def validated(tool: Tool, ids: dict[str, str], query: list[tuple[str, str]], body: Any) -> tuple[dict[str, Any], Any]:
    """Query and body by the definitions. Raises VALIDATION_ERROR with one entry per problem in details.fields.

    Text endpoints (voice agents) take whatever object comes: they answer failures in words of their own.
    """
    problems: dict[str, str] = {}
    for parameter in tool.parameters:
        is_id = parameter.location == "path" and parameter.type == "uuid" and tool.response != "text"
        if is_id and not is_uuid(ids.get(parameter.wire)):
            problems[parameter.wire] = "must be a UUID"
    also = [p.wire for p in tool.parameters if p.also_in == "query"]
    values = _query_values(tool, [pair for pair in query if pair[0] not in also], problems)
    fields = {p.wire: p for p in tool.parameters if p.location == "body"}
    if tool.body == "whole":
        whole = next(iter(fields.values()))
        if isinstance(body, dict) and len(body) == 1 and next(iter(body)) in whole.wire_also:
            (body,) = body.values()
        if body is not None or whole.required:
            _judge(whole, body, problems)
    else:
        body = {} if body is None else body
        if also and isinstance(body, dict):
            body = {**{name: text for name, text in query if name in also}, **body}
        body = _object(tool, fields, body, problems)
    if problems:
        raise _refusal(tool, problems)
    if isinstance(body, dict):
        given = {**values, **body}
        for rule in tool.rules:
            _apply(rule, tool, given)
    return values, body


def _refusal(tool: Tool, problems: dict[str, str]) -> ApiError:
    codes = {p.wire: p.format_code for p in tool.parameters}
    for name, text in problems.items():
        code = codes.get(name.split(".")[0])
        if code and text == _NOT_AN_EMAIL:
            return ApiError(400, code, f"{name} {text}, with a complete domain, like name@example.com", {"fields": problems})
    first, text = next(iter(problems.items()))
    return invalid(f"{first} {text}", fields=problems)


def check_item(tool: Tool, name: str, item: Any) -> None:
    """One element of an array parameter, such as a record of a bulk creation. Raises VALIDATION_ERROR."""
    parameter = next(p for p in tool.parameters if p.wire == name)
    schema = parameter_schema(parameter).get("items", {})
    for error in Draft202012Validator(schema, format_checker=_FORMATS).iter_errors(item):
        raise invalid(_explain(error), field=f"{name}.{'.'.join(map(str, error.absolute_path))}".rstrip("."))


def _object(tool: Tool, fields: dict[str, Parameter], body: Any, problems: dict[str, str]) -> Any:
    if not isinstance(body, dict):
        raise invalid("the body must be a JSON object")
    if tool.response == "text":
        return body
    spellings = {other: p.wire for p in fields.values() for other in p.wire_also}
    body = {spellings.get(name, name): value for name, value in body.items()}
    if tool.method == "POST":
        body = {name: value for name, value in body.items() if value is not None or (name in fields and fields[name].nullable)}
    for name in (p.wire for p in fields.values() if p.any_case):
        if isinstance(body.get(name), str):
            body = {**body, name: kebab_case(body[name])}
    for name, value in body.items():
        if name not in fields:
            problems[name] = "is not a field of this endpoint"
        elif isinstance(value, Upload):
            if tool.body != "multipart" or fields[name].enum:
                problems[name] = "must not be a file"
        else:
            _judge(fields[name], value, problems)
    problems.update({n: "is required" for n, p in fields.items() if p.required and n not in body})
    return body


def _query_values(tool: Tool, query: list[tuple[str, str]], problems: dict[str, str]) -> dict[str, Any]:
    known = {p.wire: p for p in tool.parameters if p.location == "query"}
    values: dict[str, Any] = {}
    for name, text in query:
        parameter = known.get(name)
        if parameter is None:
            problems[name] = "is not a parameter of this endpoint"
        elif parameter.type == "array":
            values.setdefault(name, []).append(text)
        elif parameter.type == "any" and name in values:
            values[name] = [*(values[name] if isinstance(values[name], list) else [values[name]]), text]
        elif text:
            values[name] = _typed(parameter, text)
    for name, value in values.items():
        _judge(known[name], value, problems)
    problems.update({n: "is required" for n, p in known.items() if p.required and n not in values})
    return values


def _typed(parameter: Parameter, text: str) -> Any:
    if parameter.type == "boolean" and text in ("true", "false"):
        return text == "true"
    if parameter.type in ("integer", "number") and re.fullmatch(r"-?\d{1,15}", text):
        return int(text)
    if parameter.type == "number" and re.fullmatch(r"-?\d{1,15}\.\d{1,10}", text):
        return float(text)
    return text


def _judge(parameter: Parameter, value: Any, problems: dict[str, str]) -> None:
    if value is None:
        if not parameter.nullable:
            problems[parameter.wire] = "must not be null"
        return
    if parameter.type in _DATES and (moment(value) is None or (parameter.type == "date" and not _is_date(value))):
        problems[parameter.wire] = "must be an ISO 8601 date" + ("" if parameter.type == "date" else " or time")
        return
    if parameter.type == "timezone" and not _is_zone(value):
        problems[parameter.wire] = "must be an IANA time zone, like Australia/Sydney"
        return
    if parameter.type == "csv" and parameter.enum:
        wrong = [part for part in str(value).split(",") if part.strip() not in parameter.enum]
        if wrong:
            problems[parameter.wire] = f"must be of {', '.join(map(str, parameter.enum))}, not {', '.join(wrong)}"
        return
    for error in _validator(parameter).iter_errors(value):
        where = ".".join(str(p) for p in error.absolute_path)
        problems[f"{parameter.wire}.{where}" if where else parameter.wire] = _explain(error)
        return


def _validator(parameter: Parameter) -> Draft202012Validator:
    if id(parameter) not in _compiled:
        schema = parameter_schema(parameter)
        if parameter.wire == "records":
            # Judged one by one, so that good records are created beside bad ones (reference: bulk-create).
            schema = {k: v for k, v in schema.items() if k != "items"}
        _compiled[id(parameter)] = (parameter, Draft202012Validator(schema, format_checker=_FORMATS))
    return _compiled[id(parameter)][1]


def _explain(error: ValidationError) -> str:
    """A problem in words that a caller can act on; jsonschema's own words where there is nothing better."""
    wanted: Any = error.validator_value
    match error.validator:
        case "type":
            return "must be " + " or ".join(_WORDS[t] for t in ([wanted] if isinstance(wanted, str) else wanted))
        case "enum":
            return f"must be one of {', '.join(str(v) for v in wanted if v is not None)}"
        case "format":
            return {"uuid": "must be a UUID", "uri": "must be an http(s) URL"}.get(wanted, f"must be a valid {wanted}")
        case "pattern" if wanted in PATTERN_WORDS:
            return f"must be {PATTERN_WORDS[wanted]}"
        case "maxItems":
            return f"must hold at most {wanted} entries"
        case "minItems":
            return f"must hold at least {wanted} entries"
        case "minimum" | "maximum":
            return f"must be at {'least' if error.validator == 'minimum' else 'most'} {wanted}"
        case "minLength":
            return "must not be empty" if wanted == 1 else f"must have at least {wanted} characters"
    return str(error.message)[:200]


def _apply(rule: Rule, tool: Tool, given: dict[str, Any]) -> None:
    wires = {name: tool.parameter_by_name[name].wire for name in rule.parameters}
    present = [name for name, wire in wires.items() if given.get(wire) is not None]
    names = ", ".join(wires.values())
    match rule.kind:
        case "exactly_one_of" if len(present) != 1:
            raise invalid(f"give exactly one of {names}")
        case "at_least_one_of" if not present:
            raise invalid(f"give at least one of {names}")
        case "at_most_one_of" if len(present) > 1:
            raise invalid(f"give at most one of {names}")
        case "all_or_none" if 0 < len(present) < len(wires):
            raise invalid(f"{names} go together")
        case "required_when":
            when = {tool.parameter_by_name[name].wire: value for name, value in (rule.when or {}).items()}
            if all(given.get(n) == v for n, v in when.items()) and len(present) < len(wires):
                raise invalid(f"{names} required when {', '.join(f'{n} is {v}' for n, v in when.items())}")
