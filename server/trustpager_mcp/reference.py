"""Keeping up with the API: what a parsed reference has that the definitions lack, and the other way round.

A parsed reference is `{"groups": [{"title", "endpoints": [...]}]}`, an endpoint `{"method", "path", "description", "scopes",
"write", "params": [{"name", "in", "type", "required", "description"}]}`. The definitions keep its facts, not its sentences; so
that a changed sentence is noticed all the same, `reference.json` beside this module holds a digest of each endpoint's prose.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .catalog import Catalog
from .definitions import Parameter, Tool
from .errors import ConfigurationError

RECORD = Path(__file__).with_name("reference.json")
_SPELLINGS: dict[str, frozenset[str]] = {
    "uuid": frozenset({"uuid"}),
    "string": frozenset({
        "string", "uuid", "date", "datetime", "date_or_datetime", "time", "email", "url", "phone", "color", "timezone", "cron",
        "csv", "any",
    }),
    "number": frozenset({"number", "integer", "any"}),
    "integer": frozenset({"number", "integer", "any"}),
    "boolean": frozenset({"boolean", "any"}),
    "object": frozenset({"object", "any"}),
    "array": frozenset({"array", "any"}),
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One difference: the reference has it and we do not (`added`), the reverse (`dropped`), or both differ (`changed`)."""

    kind: Literal["added", "dropped", "changed"]
    operation: str
    what: str
    tool: str | None = None

    def __str__(self) -> str:
        return f"{self.kind:8}{self.operation}{f' ({self.tool})' if self.tool else ''}: {self.what}"


def read_reference(file: Path) -> dict[str, Any]:
    """The parsed reference in a file. Raises ConfigurationError when it is none."""
    try:
        reference = json.loads(file.read_bytes())
        endpoints = list(_endpoints(reference))
        for e in endpoints:
            _ = (e["write"], [*e["scopes"]], [(p["name"], p["in"], p["type"], p["required"]) for p in e["params"]])
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ConfigurationError(f"{file} is no parsed reference (groups → endpoints → params): {reason}") from None
    if not endpoints:
        raise ConfigurationError(f"{file} holds no endpoints")
    return dict(reference)


def record(reference: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a reference: its scopes, and a digest of each endpoint's prose and parameters' prose."""
    endpoints = list(_endpoints(reference))
    scopes = {part.strip() for e in endpoints for s in e["scopes"] for part in s.split("|")}
    return {"scopes": sorted(scopes), "prose": {e["operation"]: _prose_digest(e) for e in endpoints}}


def known_record() -> dict[str, Any]:
    """The record that ships with the definitions."""
    found: dict[str, Any] = json.loads(RECORD.read_bytes())
    return found


def differences(reference: dict[str, Any], catalog: Catalog, known: dict[str, Any]) -> list[Change]:
    """Every difference between a reference and the definitions: the reference's endpoints in order, then the dropped ones.

    An alias that only prose names is held against `known`, the record of the reference that the definitions were made from.
    """
    tools = {key: t for t in catalog.tools.values() for key in _keys(t)}
    own = {_key(t.operation) for t in catalog.tools.values()}
    seen = set()
    changes = []
    for endpoint in _endpoints(reference):
        operation = endpoint["operation"]
        key = _key(operation)
        seen.add(key)
        if (tool := tools.get(key)) is None:
            changes.append(Change("added", operation, "no tool serves it"))
            continue
        changes += _compared(endpoint, tool, is_own=key in own)
        if known["prose"].get(operation, digest := _prose_digest(endpoint)) != digest:
            changes.append(Change("changed", operation, "its prose reads differently; read it again", tool.name))
    expected = own | ({_key(operation) for operation in known["prose"]} & tools.keys())
    changes += [Change("dropped", k, "the reference has it no longer", tools[k].name) for k in tools if k in expected - seen]
    return changes


def _compared(endpoint: dict[str, Any], tool: Tool, *, is_own: bool) -> Iterator[Change]:
    """Scopes, write flag and parameters of one endpoint against its tool; of an alias only what the tool cannot say."""
    operation = endpoint["operation"]
    if is_own and sorted(endpoint["scopes"]) != sorted(tool.scopes):
        yield Change("changed", operation, f"scopes {_list(endpoint['scopes'])}, ours {_list(tool.scopes)}", tool.name)
    if is_own and bool(endpoint["write"]) != tool.is_write:
        yield Change("changed", operation, f"write is {endpoint['write']}, ours {tool.is_write}", tool.name)
    named = set()
    for theirs in endpoint["params"]:
        if theirs["in"] == "path":
            continue
        own = next((p for p in tool.parameters if p.wire == theirs["name"] and p.location in (theirs["in"], "file")), None)
        if own is None:
            yield Change("added", operation, f"{theirs['in']} parameter {theirs['name']} ({theirs['type']})", tool.name)
            continue
        named.add(own.name)
        if is_own:
            yield from (Change("changed", operation, what, tool.name) for what in _parameter_changes(theirs, own))
    if is_own:
        for own in tool.parameters:
            if own.name not in named and not own.extra and own.location != "path":
                yield Change("dropped", operation, f"{own.location} parameter {own.wire}", tool.name)


def _parameter_changes(theirs: dict[str, Any], own: Parameter) -> Iterator[str]:
    kind = "array" if theirs["type"].endswith("[]") else theirs["type"]
    if kind in _SPELLINGS and own.type not in _SPELLINGS[kind]:
        yield f"{own.wire} is {theirs['type']}, ours {own.type}"
    if theirs.get("required") and not own.required:
        yield f"{own.wire} is required, ours optional"
    if own.required and theirs.get("required") is False and own.location != "path" and not own.extra:
        yield f"{own.wire} is optional, ours required"


def _endpoints(reference: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each operation once: where the reference documents it twice, with the parameters and the prose of both."""
    merged: dict[str, dict[str, Any]] = {}
    for endpoint in (e for group in reference["groups"] for e in group["endpoints"]):
        operation = f"{endpoint['method']} {endpoint['path'].split('?')[0]}"
        if (first := merged.get(operation)) is None:
            merged[operation] = {**endpoint, "operation": operation}
            continue
        first["description"] += " " + endpoint["description"]
        first["params"] = _merged_parameters(first["params"], endpoint["params"])
    yield from merged.values()


def _merged_parameters(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Both lists; required is what every one that has it requires."""
    optional = {p["name"] for p in (*first, *second) if not p["required"]}
    by_name = {p["name"]: p for p in (*second, *first)}
    return [{**p, "required": p["name"] not in optional} for p in by_name.values()]


def _keys(tool: Tool) -> list[str]:
    return [_key(operation) for operation in (tool.operation, *tool.aliases)]


def _key(operation: str) -> str:
    """Placeholders' names do not matter: /contacts/:id is /contacts/{contact_id}."""
    return re.sub(r":\w+|\{\w+\}", ":id", operation.split("?")[0])


def _prose_digest(endpoint: dict[str, Any]) -> str:
    parts = [endpoint["description"], *(f"{p['name']}: {p.get('description', '')}" for p in endpoint["params"])]
    return hashlib.sha256(" ".join(" ".join(parts).split()).encode()).hexdigest()[:12]


def _list(values: Any) -> str:
    return ", ".join(sorted(values)) or "none"
