"""Tools and schemas in the words of an agent: a signature of one line, and a TypeScript-like one that says everything."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from .definitions import Parameter, Rule, Tool, parameter_schema

_WORDS = {
    "date_or_datetime": "date|datetime", "time": "HH:MM", "phone": "E.164 phone", "color": "#rrggbb", "timezone": "IANA zone",
    "csv": "comma-separated string", "uuid": "uuid", "cron": "cron", "email": "email", "url": "url", "date": "date",
    "datetime": "datetime",
}  # fmt: skip
_FORMATS = {"date-time": "datetime", "uri": "url"}
_ONE_OF = {"exactly_one_of": "one of", "at_least_one_of": "any of"}
# Of a combinator's branches those count that hold one of these; others only say which keys must stand together.
_TYPING = {"type", "properties", "enum", "const"}
_LONGEST_PATTERN = 40
_WIDE = 100


def type_word(parameter: Parameter, most_values: int | None = None) -> str:
    """A parameter's type as a word or its enum, as signatures show it; of a longer enum the first `most_values` and `…`."""
    if parameter.enum:
        shown = parameter.enum[:most_values]
        return "|".join(str(v) for v in shown) + ("|…" if len(shown) < len(parameter.enum) else "")
    if parameter.type == "array":
        return f"{_WORDS.get(parameter.items or 'any', parameter.items or 'any')}[]"
    return _WORDS.get(parameter.type, parameter.type)


def signature(tool: Tool, optional: int = 6, most_values: int | None = None) -> str:
    """`move_opportunity(opportunity_id: uuid, …)`: enough to make a valid call, then the names of `optional` arguments.

    Nested bodies show their required keys; alternatives stand as `one of (a: uuid / b: string)`.
    """
    by_name = tool.parameter_by_name
    needed = [_argument(p, most_values) for p in tool.parameters if p.required]
    named = {p.name for p in tool.parameters if p.required}
    for rule in tool.rules:
        needed += [text for text in (_condition(rule, by_name, named),) if text]
        if rule.kind in _ONE_OF or rule.kind == "required_when":
            named |= set(rule.parameters)
    others = [f"{p.name}?" for p in tool.parameters if p.name not in named]
    shown = others[:optional] + (["…"] if len(others) > optional else [])
    return f"{tool.name}({', '.join(needed + shown)})"


def _argument(parameter: Parameter, most_values: int | None = None) -> str:
    if parameter.fragment or parameter.min_items or parameter.max_items:
        word = needed_type(parameter_schema(parameter))
    else:
        word = type_word(parameter, most_values)
        if not parameter.enum and parameter.type not in _WORDS:
            word += _limits(parameter_schema(parameter), telling_only=True)
    if parameter.nullable and not word.endswith("|null"):
        word += "|null"
    return f"{parameter.name}: {word}"


def _condition(rule: Rule, by_name: dict[str, Parameter], named: set[str]) -> str:
    fresh = [by_name[n] for n in rule.parameters if n not in named]
    if rule.kind in _ONE_OF and len(fresh) == len(rule.parameters):
        return f"{_ONE_OF[rule.kind]} ({' / '.join(_argument(p) for p in fresh)})"
    if rule.kind == "required_when" and fresh:
        when = " and ".join(f"{k}={v}" for k, v in (rule.when or {}).items())
        return ", ".join(f"{_argument(p)} if {when}" for p in fresh)
    return ""


def needed_type(schema: dict[str, Any]) -> str:
    """A schema's type in one line: of objects the required keys only, `…` where others may be given."""
    return _typed(schema, needed_only=True, indent=None)


def full_type(schema: dict[str, Any], indent: str = "") -> str:
    """A schema's type in TypeScript's manner, with limits; objects that say much stand one key a line."""
    return _typed(schema, needed_only=False, indent=indent)


def _typed(schema: dict[str, Any], *, needed_only: bool, indent: str | None) -> str:
    if "const" in schema:
        return json.dumps(schema["const"])
    if enum := schema.get("enum"):
        return "|".join("null" if v is None else str(v) for v in enum)
    for combinator in ("anyOf", "oneOf"):
        branches = [b for b in schema.get(combinator, ()) if _TYPING & b.keys()]
        if branches:
            words = dict.fromkeys(_typed(_merged(schema, b), needed_only=needed_only, indent=indent) for b in branches)
            shown = list(words)[:1] + (["…"] if len(words) > 1 else []) if needed_only else list(words)
            return " | ".join(shown)
    kinds = schema.get("type", "object" if "properties" in schema else "any")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return "|".join(_of_kind(kind, schema, needed_only=needed_only, indent=indent) for kind in kinds)


def _merged(schema: dict[str, Any], branch: dict[str, Any]) -> dict[str, Any]:
    """A branch of a combinator with what stands beside the combinator."""
    beside = {k: v for k, v in schema.items() if k not in ("anyOf", "oneOf", "description", "default")}
    merged = {**beside, **branch}
    if "properties" in beside and "properties" in branch:
        merged["properties"] = {**beside["properties"], **branch["properties"]}
    if "required" in beside and "required" in branch:
        merged["required"] = [*beside["required"], *branch["required"]]
    return merged


def _of_kind(kind: str, schema: dict[str, Any], *, needed_only: bool, indent: str | None) -> str:
    if kind == "array":
        items = _typed(schema.get("items") or {}, needed_only=needed_only, indent=indent)
        plain = items if items.startswith("{") or not any(c in items for c in "| ") else f"({items})"
        return f"{plain}[]" + _limits(schema, telling_only=needed_only)
    if kind == "object":
        return _object(schema, needed_only=needed_only, indent=indent)
    if kind == "string":
        word: str = schema.get("format", "string")
        return _FORMATS.get(word, word) + _limits(schema, telling_only=needed_only)
    return kind + _limits(schema, telling_only=needed_only)


def _object(schema: dict[str, Any], *, needed_only: bool, indent: str | None) -> str:
    properties = schema.get("properties")
    extra = schema.get("additionalProperties")
    if not properties:
        if isinstance(extra, dict) and extra:
            return f"{{[key]: {_typed(extra, needed_only=needed_only, indent=indent)}}}"
        return "object"
    required = set(schema.get("required", ()))
    if needed_only:
        keys = [f"{k}: {_typed(v, needed_only=True, indent=None)}" for k, v in properties.items() if k in required]
        return "{" + ", ".join(keys + (["…"] if len(required) < len(properties) else [])) + "}"
    inner = None if indent is None else indent + "  "
    parts = [_entry(k, v, k in required, inner) for k, v in properties.items()]
    if isinstance(extra, dict) and extra:
        parts.append((f"[key]: {_typed(extra, needed_only=False, indent=inner)}", ""))
    flat = "{" + ", ".join(entry for entry, _ in parts) + "}"
    short = len(flat) <= _WIDE and "\n" not in flat and not any(comment for _, comment in parts)
    if indent is None or short:
        return flat
    return "{\n" + "\n".join(f"{inner}{entry}{comment}" for entry, comment in parts) + f"\n{indent}}}"


def _entry(name: str, schema: dict[str, Any], required: bool, indent: str | None) -> tuple[str, str]:
    """`name?: type = default` and `  // description`."""
    text = f"{name}{'' if required else '?'}: {_typed(schema, needed_only=False, indent=indent)}"
    if "default" in schema:
        text += f" = {json.dumps(schema['default'], ensure_ascii=False)}"
    description = schema.get("description", "")
    return text, f"  // {description}" if description else ""


def argument_lines(tool: Tool, properties: dict[str, dict[str, Any]]) -> Iterable[str]:
    """One argument a line with type, limits, default and description, nested bodies spread below it."""
    for parameter in tool.parameters:
        schema = properties[parameter.name]
        if parameter.type in _WORDS and not parameter.enum and not parameter.fragment:
            null = "|null" if parameter.nullable else ""
            text = f"{parameter.name}{'' if parameter.required else '?'}: {type_word(parameter)}{null}"
            text += f" = {json.dumps(parameter.default)}" if parameter.default is not None else ""
            comment = f"  // {parameter.description}" if parameter.description else ""
        else:
            text, comment = _entry(parameter.name, schema, parameter.required, "  ")
        yield f"  {text}{comment}"


def _limits(schema: dict[str, Any], *, telling_only: bool = False) -> str:
    """` 1..100`, ` ≤200 chars`, ` ≥1 items`, a short pattern: what narrows a type; empty when nothing does.

    `telling_only` leaves out that a text or list must not be empty, which nobody needs to be told.
    """
    shortest, fewest = schema.get("minLength"), schema.get("minItems")
    if telling_only:
        shortest, fewest = (None if n == 1 else n for n in (shortest, fewest))
    parts = [_span(schema.get("minimum"), schema.get("maximum"), "")]
    parts.append(_span(shortest, schema.get("maxLength"), " chars"))
    parts.append(_span(fewest, schema.get("maxItems"), " items"))
    pattern = schema.get("pattern", "")
    if pattern and len(pattern) <= _LONGEST_PATTERN:
        parts.append(f"/{pattern}/")
    return "".join(f" {p}" for p in parts if p)


def _span(low: float | None, high: float | None, unit: str) -> str:
    if low is None and high is None:
        return ""
    if low is None:
        return f"≤{high}{unit}"
    if high is None:
        return f"≥{low}{unit}"
    return f"{low}..{high}{unit}"
