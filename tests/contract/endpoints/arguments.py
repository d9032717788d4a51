"""Valid arguments of every tool: values from schemas and examples, ids of records that are there or freshly made."""

from __future__ import annotations

import copy
import itertools
import re
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from trustpager_mcp.definitions import Parameter, Tool, parameter_schema
from trustpager_mcp.sandbox.checks import is_uuid

from .samples import ARGUMENTS, BEFORE, COLLECTIONS, NAMED, NEVER_LIVE, SHOWN_WITH, SOURCES, VALUES, Source
from .target import SWITCH, TOOLS, TOOLSET_OF, Target

_number = itertools.count(10_000)
_PLACES = re.compile(r"\{((?!n\})[^{}]+)\}")
Context = dict[str, str]
"""The ids of one call by collection: what is made on its way shares its parents."""

_BY_TYPE: dict[str, Any] = {
    "date": "2026-06-17", "time": "10:00", "datetime": "2026-06-17T00:00:00Z", "date_or_datetime": "2026-06-17",
    "url": "https://contract.example/page", "phone": "+61491570006", "color": "#336699", "timezone": "Australia/Perth",
    "cron": "0 9 * * 1", "csv": "one", "integer": 1, "number": 1, "boolean": True, "object": {}, "array": [], "any": "one",
}  # fmt: skip


_OPERATIONS = {tool.operation: tool.name for tool in TOOLS.values()}


def _collection(tool: Tool, parameter: Parameter) -> str | None:
    """The path of the collection that a path parameter chooses from, when the API lists it or adds to it."""
    collection = tool.path.partition(f"/:{parameter.wire}")[0]
    known = collection in SOURCES or f"GET {collection}" in _OPERATIONS or f"POST {collection}" in _OPERATIONS
    return collection if parameter.location == "path" and known else None


def _named() -> dict[str, str]:
    """Collections by the parameters that choose from them: alone, and, stronger, after their toolset."""
    names: dict[str, str] = {}
    for tool in TOOLS.values():
        for parameter in tool.parameters:
            if collection := _collection(tool, parameter):
                names.setdefault(f"{TOOLSET_OF[tool.name]}.{parameter.name}", collection)
                names.setdefault(parameter.name, collection)
    return names | COLLECTIONS


_NAMED = _named()


def collection_of(tool: Tool, name: str) -> str | None:
    """The collection whose record an argument names: /opportunities for a deal_id. None for what names no record."""
    toolset = TOOLSET_OF[tool.name]
    for own in (f"{tool.name}.{name}", f"{toolset}.{name}"):
        if own in COLLECTIONS:
            return COLLECTIONS[own]
    parameter = tool.parameter_by_name.get(name)
    if parameter and (collection := _collection(tool, parameter)):
        return collection
    return _NAMED.get(f"{toolset}.{name}", _NAMED.get(name))


def source_of(collection: str) -> Source:
    if collection in SOURCES:
        return SOURCES[collection]
    return Source(_OPERATIONS.get(f"GET {collection}"), _OPERATIONS.get(f"POST {collection}"))


@dataclass
class Prepared:
    """Arguments of a call, and the ids that it is about."""

    arguments: dict[str, Any]
    context: Context


class Calls:
    """Makes valid calls on a target."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.made: list[tuple[Tool, dict[str, Any], str]] = []
        """What was created on the way: tool, arguments and id of each."""

    async def prepared(self, tool: Tool) -> Prepared:
        """Arguments with which the tool works; what must have happened before has happened.

        A test that may not be made on a live workspace is skipped.
        """
        if self.target.live:
            if not self.target.may(tool):
                pytest.skip(f"{tool.name} is {tool.effect}; the level of {SWITCH} leaves it out")
            if tool.name in NEVER_LIVE:
                pytest.skip(NEVER_LIVE[tool.name])
            if tool.method in ("PATCH", "PUT") and not any(p.location == "path" for p in tool.parameters):
                pytest.skip(f"{tool.name} would change settings of the workspace's own")
            if not self.target.has(tool.credential):
                pytest.skip(f"{tool.name} takes a credential of another kind ({tool.credential})")
        context: Context = {}
        fresh = tool.effect != "read"
        await self._before(tool, context, fresh)
        return Prepared(await self.arguments(tool, context, fresh), context)

    async def read(self, tool: Tool, about: Prepared, **further: Any) -> httpx.Response:
        """What a read answers about a call: asked with the call's own arguments and ids."""
        own = {n: v for n, v in about.arguments.items() if (p := tool.parameter_by_name.get(n)) and p.required}
        arguments = await self.arguments(tool, dict(about.context), False, {})
        return await self.target.call(tool, {**arguments, **own, **SHOWN_WITH.get(tool.name, {}), **further})

    async def clean_up(self) -> None:
        """Delete, newest first, what was made on a live workspace; what is gone already, or has no delete, is left."""
        for tool, arguments, identity in reversed(self.made):
            remover = next((t for t in TOOLS.values() if t.method == "DELETE" and t.path.rpartition("/:")[0] == tool.path), None)
            if remover is not None:
                last = [p.name for p in remover.parameters if p.location == "path"][-1]
                await self.target.call(remover, {**arguments, last: identity})

    async def _before(self, tool: Tool, context: Context, fresh: bool) -> None:
        for before in BEFORE.get(tool.name, ()):
            await self.target.data(TOOLS[before], await self.arguments(TOOLS[before], context, fresh))

    async def arguments(self, tool: Tool, context: Context, fresh: bool, instead: dict[str, Any] | None = None) -> dict[str, Any]:
        """`fresh`: what the path names is made for this call, so that no other record is changed."""
        values: dict[str, Any] = {}
        for parameter in (p for p in tool.parameters if p.location == "path"):
            kind = collection_of(tool, parameter.name)
            values[parameter.name] = await self.record(kind, context, fresh) if kind else sample(tool, parameter)
        given = copy.deepcopy(ARGUMENTS.get(tool.name, tool.example or {}) if instead is None else instead)
        # What is sent, charged or deleted concerns nobody but the suite.
        alone = fresh and (self.target.live or tool.effect == "irreversible")
        for name, value in given.items():
            if name not in values:
                values[name] = await self._with_ids(tool, name, value, context, alone)
        for parameter in tool.parameters:
            if parameter.required and parameter.name not in values:
                values[parameter.name] = await self._with_ids(tool, parameter.name, sample(tool, parameter), context, alone)
        return values

    async def _with_ids(self, tool: Tool, name: str, value: Any, context: Context, fresh: bool) -> Any:
        """The value with real ids where it names records."""
        if isinstance(value, dict):
            return {
                await self._with_ids(tool, "", k, context, fresh): await self._with_ids(tool, k, v, context, fresh)
                for k, v in value.items()
            }
        collection = collection_of(tool, name) or collection_of(tool, name.removesuffix("s"))
        if isinstance(value, list):
            if collection and value and all(is_uuid(v) for v in value):
                return [await self.record(collection, context, fresh)]
            return [await self._with_ids(tool, name, v, context, fresh) for v in value]
        if not isinstance(value, str):
            return value
        if value.startswith("{all "):
            return await self._all(source_of(value[5:-1]), context)
        for place in (p for p in _PLACES.findall(value) if p in SOURCES or p.startswith("/")):
            value = value.replace(f"{{{place}}}", await self.record(place, context, fresh))
        if collection and is_uuid(value):
            return await self.record(collection, context, fresh)
        return value.replace("{n}", str(next(_number)))

    async def record(self, collection: str, context: Context, fresh: bool) -> str:
        """An id of the collection: the one of this call, a fresh one, or one that is there."""
        if collection not in context:
            source = source_of(collection)
            able = source.made is not None and self.target.may(TOOLS[source.made]) and self.target.has(source.bearer)
            identity = None if fresh and able else await self._find(source, context)
            if identity is None and able:
                identity = await self._make(source, context)
            if identity is None:
                assert self.target.live, f"the sandbox has nothing in {collection}"
                pytest.skip(f"the workspace has nothing in {collection}")
            if fresh and not able and self.target.live:
                pytest.skip(f"would change something in {collection} that the suite did not make")
            context[collection] = identity
        return context[collection]

    async def _find(self, source: Source, context: Context) -> str | None:
        if source.found is None:
            return None
        tool = TOOLS[source.found]
        answer = await self.target.data(tool, {**await self.arguments(tool, context, False), **source.asked})
        if isinstance(answer, list) and not source.at[0].isdigit():
            answer = next((row for row in answer if all(row.get(k) == v for k, v in source.where.items())), {})
        return at(answer, source.at)

    async def _all(self, source: Source, context: Context) -> list[str]:
        """The ids of a whole collection, the last one first."""
        assert source.found is not None
        tool = TOOLS[source.found]
        answer = await self.target.data(tool, await self.arguments(tool, context, False))
        rows = answer if isinstance(answer, list) else answer[source.at.split(".")[0]]
        return [row["id"] for row in reversed(rows)]

    async def _make(self, source: Source, context: Context) -> str:
        assert source.made is not None
        tool = TOOLS[source.made]
        await self._before(tool, context, True)
        arguments = await self.arguments(tool, context, True, source.made_with)
        bearer = self.target.credentials[source.bearer] if source.bearer else None
        identity = at(await self.target.data(tool, arguments, key=bearer), source.made_at)
        assert identity is not None, f"{tool.name} answers no {source.made_at}"
        self.made.append((tool, arguments, identity))
        return identity


def at(answer: Any, place: str) -> str | None:
    """What stands at a dotted place of an answer; None when there is nothing."""
    for step in place.split("."):
        if isinstance(answer, list):
            answer = answer[int(step)] if int(step) < len(answer) else None
        else:
            answer = answer.get(step) if isinstance(answer, dict) else None
    return None if answer is None else str(answer)


def sample(tool: Tool, parameter: Parameter) -> Any:
    """A valid value by the schema alone."""
    for name in (f"{tool.name}.{parameter.name}", f"{TOOLSET_OF[tool.name]}.{parameter.name}", parameter.name):
        if name in VALUES:
            return VALUES[name]
    if parameter.enum:
        return parameter.enum[0]
    if parameter.type == "uuid":
        return NAMED
    if parameter.type == "email":
        return f"contract{next(_number)}@contract.example"
    if parameter.type in _BY_TYPE and not parameter.fragment and not parameter.items:
        low, high = parameter.minimum, parameter.maximum
        value = _BY_TYPE[parameter.type]
        return int(low) if low is not None and value < low else int(high) if high is not None and value > high else value
    return by_schema(parameter_schema(parameter), parameter.name)


def by_schema(schema: dict[str, Any], name: str) -> Any:
    """The smallest value that a JSON Schema describes, with names that occur once."""
    if "const" in schema or schema.get("enum"):
        return schema.get("const", (schema.get("enum") or [None])[0])
    for word in ("oneOf", "anyOf"):
        if word in schema:
            return by_schema(schema[word][0], name)
    kind = schema.get("type", "string")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            known = schema.get("properties", {})
            return {n: by_schema(known.get(n, {}), n) for n in schema.get("required", ())}
        case "array":
            return [by_schema(schema.get("items", {}), name) for _ in range(max(1, schema.get("minItems", 1)))]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
    text = {"uuid": NAMED, "email": "contract@contract.example", "uri": "https://contract.example/a"}.get(
        schema.get("format", "")
    )
    return text or f"Contract {name} {next(_number)}"[: schema.get("maxLength", 200)]
