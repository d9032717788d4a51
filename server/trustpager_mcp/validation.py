"""Arguments as an agent sent them → arguments that fit the schema, or an error that teaches.

Repairs only what is certain: another known spelling, JSON sent as a string, "5" for a number, one level of nesting
too many. Everything else is an ArgumentsError that names the field, what came, what is allowed, and a corrected call.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .catalog import Catalog, rule_text
from .definitions import PATTERN_WORDS, Parameter, Rule, Tool
from .errors import ArgumentsError
from .signatures import signature, type_word

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, FormatChecker, ValidationError

_WRAPPERS = ("args", "arguments", "input", "params", "parameters", "body", "data", "payload")
_MAX_PROBLEMS = 6
_MAX_SHOWN = 80
_MAX_NAMES = 10
_MAX_DEPTH = 64
_HUGE = 10**21
_UNSENDABLE = re.compile("[\0\ud800-\udfff]")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def prepare(catalog: Catalog, tool: Tool, arguments: dict[str, Any]) -> dict[str, Any]:
    """The repaired, valid arguments. Raises ArgumentsError listing every problem found."""
    if _depth(arguments) > _MAX_DEPTH:
        raise ArgumentsError(f"{tool.name}: the arguments are nested more than {_MAX_DEPTH} levels deep.")
    repaired = repair(tool, arguments)
    problems = [*_unknown(tool, repaired), *_missing(tool, repaired), *_misfits(catalog, tool, repaired)]
    problems += [text for rule in tool.rules if (text := _broken(rule, repaired))]
    if problems:
        shown = problems[:_MAX_PROBLEMS]
        if len(problems) > len(shown):
            shown.append(f"and {len(problems) - len(shown)} more")
        raise ArgumentsError(
            f"{tool.name}: " + "; ".join(shown) + ". Nothing was sent.",
            hint=f"Call it like {signature(tool, optional=12)}, for example {json.dumps(example(tool, repaired))}",
        )
    return repaired


def repair(tool: Tool, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments with the certain repairs made; never drops anything."""
    known = tool.parameter_by_name
    spellings = tool.spellings
    result = _unwrap(known, spellings, arguments)
    renamed: dict[str, Any] = {}
    for name, value in result.items():
        target = name if name in known else spellings.get(name, name)
        if target != name and target in result:
            target = name
        renamed[target] = value
    return {n: _coerce(known[n], v) if n in known else v for n, v in renamed.items()}


def example(tool: Tool, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
    """Arguments of a call that would be right: what was good in the given ones, placeholders for the rest."""
    given = arguments or {}
    result: dict[str, Any] = {}
    for parameter in tool.parameters:
        if tool.example and parameter.name in tool.example:
            result[parameter.name] = tool.example[parameter.name]
        elif parameter.required:
            value = given.get(parameter.name)
            short = isinstance(value, (str, int, float)) and len(str(value)) <= _MAX_SHOWN
            result[parameter.name] = value if short and not _scalar_problem(parameter, value) else placeholder(parameter)
    return result


def placeholder(parameter: Parameter) -> Any:
    """A value of the parameter's type, for a worked example."""
    if parameter.enum:
        return parameter.enum[0]
    if parameter.default is not None:
        return parameter.default
    simple: dict[str, Any] = {
        "uuid": "6f1c2e9a-4b7d-4e0a-9c55-2d8f3b1a7e10", "date": "2026-03-31", "datetime": "2026-03-31T09:00:00Z",
        "date_or_datetime": "2026-03-31", "time": "09:00", "email": "sam@example.com", "url": "https://example.com",
        "phone": "+61412345678", "color": "#3b82f6", "timezone": "Australia/Sydney", "cron": "0 9 * * 1",
        "integer": int(parameter.minimum or 1), "number": parameter.minimum or 1, "boolean": True, "object": {},
    }  # fmt: skip
    if parameter.type == "array":
        return [simple.get(parameter.items or "", "...")] if parameter.items else []
    return simple.get(parameter.type, "...")


def _unwrap(known: dict[str, Parameter], spellings: dict[str, str], arguments: dict[str, Any]) -> dict[str, Any]:
    result = dict(arguments)
    for wrapper in _WRAPPERS:
        if wrapper in known or wrapper in spellings or wrapper not in result:
            continue
        inner = _parsed(result[wrapper], dict)
        if isinstance(inner, dict) and not set(inner) & (set(result) - {wrapper}):
            result = {**{k: v for k, v in result.items() if k != wrapper}, **inner}
    return result


def _parsed(value: Any, kind: type) -> Any:
    if not isinstance(value, str):
        return value
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return parsed if isinstance(parsed, kind) else value


def _coerce(parameter: Parameter, value: Any) -> Any:
    if parameter.type == "object":
        return _parsed(value, dict)
    if parameter.type == "array":
        return _parsed(value, list)
    if parameter.type == "csv" and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return ",".join(value)
    if not isinstance(value, str):
        if parameter.type == "integer" and isinstance(value, float) and value.is_integer():
            return int(value)
        return value
    text = value.strip()
    if parameter.type == "integer" and re.fullmatch(r"-?\d{1,18}", text):
        return int(text)
    if parameter.type == "number" and re.fullmatch(r"-?\d{1,18}(\.\d{1,18})?", text):
        return float(text) if "." in text else int(text)
    if parameter.type == "boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    return value


def _unknown(tool: Tool, arguments: dict[str, Any]) -> list[str]:
    known = list(tool.parameter_by_name)
    problems = []
    for name in arguments:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        told = ", ".join(known[:_MAX_NAMES]) + (" …" if len(known) > _MAX_NAMES else "")
        other = f"did you mean {near[0]}?" if near else f"it takes {told or 'no arguments'}"
        problems.append(f"unknown argument {_shown(name)}: {other}")
    return problems


def _missing(tool: Tool, arguments: dict[str, Any]) -> list[str]:
    given = {name for name, value in arguments.items() if value is not None}
    absent = [p for p in tool.parameters if p.required and p.name not in (arguments if p.nullable else given)]
    return [f"{p.name} ({type_word(p)}) is required" for p in absent]


def _misfits(catalog: Catalog, tool: Tool, arguments: dict[str, Any]) -> list[str]:
    problems: list[str] = []
    properties = catalog.input_schema(tool.name)["properties"]
    for parameter in tool.parameters:
        value = arguments.get(parameter.name)
        if value is None and (parameter.name not in arguments or parameter.nullable or parameter.required):
            continue
        if value is None:
            problems.append(f"{parameter.name} cannot be null; leave it out")
            continue
        if text := _scalar_problem(parameter, value):
            problems.append(f"{parameter.name}: {text}")
            continue
        if _type_says_all(parameter):
            continue
        for error in _validator(json.dumps(properties[parameter.name], sort_keys=True)).iter_errors(value):
            place = parameter.name + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path)
            problems.append(f"{place}: {_said(error)}")
    return problems


def _said(error: ValidationError) -> str:
    wanted = PATTERN_WORDS.get(str(error.validator_value)) if error.validator == "pattern" else None
    return f"got {_shown(error.instance)}, expected {wanted}" if wanted else _clip(error.message)


def _type_says_all(parameter: Parameter) -> bool:
    """The parameter's type word, range and text enum are its whole schema, so that no validator is needed."""
    if parameter.type in ("object", "array", "any") or parameter.fragment or parameter.pattern:
        return False
    if parameter.enum and parameter.type in ("integer", "number", "boolean"):
        return False
    return parameter.min_length is None and parameter.max_length is None


def _scalar_problem(parameter: Parameter, value: Any) -> str:
    """What is wrong with a value that the parameter's own type word decides, as `got X, allowed Y`; empty when fine."""
    kind = parameter.type
    if isinstance(value, str) and _UNSENDABLE.search(value):
        return "it holds a NUL or a broken Unicode character"
    if kind == "object" and not isinstance(value, dict):
        return f"got {_shown(value)}, expected a JSON object"
    if kind == "array" and not isinstance(value, list):
        return f"got {_shown(value)}, expected a JSON array"
    if kind == "boolean" and not isinstance(value, bool):
        return f"got {_shown(value)}, expected true or false"
    if kind in ("integer", "number"):
        if not isinstance(value, (int, float)) or isinstance(value, bool) or (kind == "integer" and isinstance(value, float)):
            return f"got {_shown(value)}, expected {'a whole number' if kind == 'integer' else 'a number'}"
        if isinstance(value, float) and not math.isfinite(value):
            return f"got {_shown(value)}, expected a finite number"
        if abs(value) >= _HUGE:
            return f"got a number of more than {len(str(_HUGE)) - 1} digits"
        low, high = parameter.minimum, parameter.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            return f"got {_shown(value)}, allowed {_range(low, high)}"
        return ""
    if kind in ("object", "array", "any", "boolean"):
        return ""
    if not isinstance(value, str):
        return f"got {_shown(value)}, expected {_EXPECTED.get(kind, 'text')}"
    if parameter.enum:
        return "" if value in parameter.enum else f"got {_shown(value)}, allowed {', '.join(map(str, parameter.enum))}"
    check = _CHECKS.get(kind)
    return f"got {_shown(value)}, expected {_EXPECTED[kind]}" if check and not check(value) else ""


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {high:g}"
    return f"at least {low:g}" if high is None else f"{low:g} to {high:g}"


def _is_uuid(value: str) -> bool:
    return _UUID.fullmatch(value) is not None


def _is_date(value: str) -> bool:
    try:
        return len(value) == 10 and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _is_datetime(value: str) -> bool:
    try:
        return len(value) > 10 and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def _is_zone(value: str) -> bool:
    from zoneinfo import ZoneInfo

    try:
        return bool(ZoneInfo(value))
    except (ValueError, OSError, KeyError):
        return False


def _is_address(value: str) -> bool:
    return bool(re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value))


_CHECKS: dict[str, Callable[[str], bool]] = {
    "uuid": _is_uuid,
    "date": _is_date,
    "datetime": _is_datetime,
    "date_or_datetime": lambda v: _is_date(v) or _is_datetime(v),
    "time": lambda v: bool(re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", v)),
    "email": _is_address,
    "url": lambda v: bool(re.match(r"https?://[^\s/]+", v)),
    "phone": lambda v: bool(re.fullmatch(r"\+[1-9]\d{6,14}", v)),
    "color": lambda v: bool(re.fullmatch(r"#[0-9a-fA-F]{6}", v)),
    "timezone": _is_zone,
    "cron": lambda v: len(v.split()) in (5, 6),
}
_EXPECTED = {
    "uuid": "a UUID as a read returns it",
    "date": "a date like 2026-03-31",
    "datetime": "an ISO 8601 time like 2026-03-31T09:00:00Z",
    "date_or_datetime": "an ISO 8601 date or time like 2026-03-31",
    "time": "a time like 09:00",
    "email": "an e-mail address",
    "url": "an http(s) URL",
    "phone": "an E.164 number like +61412345678",
    "color": "a hex colour like #3b82f6",
    "timezone": "an IANA time zone like Australia/Sydney",
    "cron": "a cron expression like 0 9 * * 1",
    "csv": "comma-separated text",
}


@lru_cache(maxsize=1024)
def _validator(schema: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema), format_checker=_formats())


@lru_cache(maxsize=1)
def _formats() -> FormatChecker:
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    pairs = (("uuid", "uuid"), ("date", "date"), ("date-time", "datetime"), ("email", "email"), ("uri", "url"))
    for name, kind in pairs:
        check = _CHECKS[kind]
        checker.checkers[name] = (_on_text(check), ())
    return checker


def _on_text(check: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or check(value)


def _broken(rule: Rule, arguments: dict[str, Any]) -> str:
    given = [n for n in rule.parameters if arguments.get(n) is not None]
    count = len(given)
    whole = len(rule.parameters)
    fine = {
        "exactly_one_of": count == 1,
        "at_least_one_of": count >= 1,
        "at_most_one_of": count <= 1,
        "all_or_none": count in (0, whole),
        "required_when": count == whole or any(arguments.get(k) != v for k, v in (rule.when or {}).items()),
    }[rule.kind]
    return "" if fine else f"{rule_text(rule).rstrip('.')} (given: {', '.join(given) or 'none'})"


def _shown(value: Any) -> str:
    return _clip(json.dumps(value, ensure_ascii=True, default=str))


def _clip(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


def _depth(value: Any) -> int:
    deepest, stack = 0, [(value, 1)]
    while stack:
        node, level = stack.pop()
        deepest = max(deepest, level)
        if deepest > _MAX_DEPTH:
            break
        if isinstance(node, dict):
            stack += [(v, level + 1) for v in node.values()]
        elif isinstance(node, list):
            stack += [(v, level + 1) for v in node]
    return deepest
