"""The format of the tool definitions, and the one function that finds and reads them.

`tools/<toolset>.json` holds one `Toolset`; `schemas/<name>.json` holds a JSON Schema that parameters name with
`{"$ref": "<name>"}`. Both are data: strict, frozen, read at every start. docs/definitions.md explains each key.
"""

from __future__ import annotations

import json
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from .errors import DefinitionError

Effect = Literal["read", "write", "irreversible"]
ParameterType = Literal[
    "string", "uuid", "date", "datetime", "date_or_datetime", "time", "email", "url", "phone", "color", "timezone",
    "cron", "csv", "integer", "number", "boolean", "object", "array", "any",
]  # fmt: skip
PATH_PLACEHOLDER = r":([A-Za-z_][A-Za-z0-9_]*)"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Parameter(_Model):
    """One argument of a tool. `name` is what the agent sees, `wire` what the API calls it (by default the same)."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,45}$")
    wire: str = ""
    location: Literal["path", "query", "body", "file"] = Field(alias="in")
    type: ParameterType
    required: bool = False
    nullable: bool = False
    """`null` has a meaning for the API (it clears the field) and is sent."""
    description: str = ""
    enum: tuple[str | int, ...] = ()
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    pattern: str | None = None
    items: ParameterType | None = None
    """The type of an array's elements, where a word says it."""
    fragment: dict[str, Any] | None = Field(default=None, alias="schema")
    """A JSON Schema for what a word cannot say; `{"$ref": "<name>"}` takes schemas/<name>.json."""
    also_accepts: tuple[str, ...] = ()
    """Other spellings that mean this parameter (company_id for customer_id)."""
    wire_also: tuple[str, ...] = ()
    """Other names under which the API itself takes the parameter; for a whole body: names that it may be wrapped in."""
    also_in: Literal["query"] | None = None
    """The API takes this body parameter in the query as well."""
    any_case: bool = False
    """The API takes the value in other letter cases (SignerInput and signer_input for signer-input)."""
    format_code: str | None = None
    """The error code with which the API refuses a value of the wrong format, where it is not VALIDATION_ERROR."""
    extra: bool = False
    """The reference's table does not list it: documented in prose, or added by this project."""

    @model_validator(mode="before")
    @classmethod
    def _wire_defaults_to_name(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.get("wire"):
            return {**data, "wire": data.get("name", "")}
        return data


class AlsoNeeds(_Model):
    """A scope that only some uses of a tool need, as the reference's prose says."""

    scope: str
    when: str


class Rule(_Model):
    """A condition over several parameters that a flat schema cannot say."""

    kind: Literal["exactly_one_of", "at_least_one_of", "at_most_one_of", "all_or_none", "required_when"]
    parameters: tuple[str, ...]
    when: dict[str, Any] | None = None
    """For `required_when`: the parameter values under which `parameters` must be given."""


class Credits(_Model):
    """What a call costs: `amount` per `per`; `amount` null where the API prices it at run time."""

    amount: float | None
    per: str = "call"
    minimum: float | None = None
    counts: str | None = None
    """The argument that tells how much: characters of a text, items of a list, or a number."""
    unit: float = Field(default=1.0, gt=0)
    """How many of what `counts` counts `amount` pays for."""


class Paging(_Model):
    """How a list is paged. The agent always sees `limit` and `cursor`; `cursor_wire` is the API's word."""

    cursor_wire: Literal["cursor", "after"] = "cursor"


class Poll(_Model):
    """An asynchronous operation: `tool` tells when `field` reaches one of `until`."""

    tool: str
    field: str
    until: tuple[str, ...]


class Neighbour(_Model):
    """Another tool that is easily confused with this one, and when it is the better choice."""

    tool: str
    when: str


class Tool(_Model):
    """One operation of the API, as an agent sees it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{2,45}$")
    title: str = Field(min_length=1)
    operation: str = Field(pattern=r"^(GET|POST|PUT|PATCH|DELETE) \S+$")
    base: Literal["api", "functions"] = "api"
    """`api`: the base URL; `functions`: its parent, two levels up, where the reference puts Evie and uploads."""
    credential: Literal["api_key", "portal_token", "oauth_token", "none"] = "api_key"
    aliases: tuple[str, ...] = ()
    description: str = Field(min_length=1)
    intents: tuple[str, ...] = Field(min_length=3, max_length=14)
    scopes: tuple[str, ...]
    any_scope: bool = False
    """One of `scopes` opens the tool; which one a call needs stands in `also_needs`."""
    also_needs: tuple[AlsoNeeds, ...] = ()
    effect: Effect
    write: bool | None = None
    """The reference's write flag where it is not what `effect` implies."""
    idempotent: bool
    idempotency_key: bool = False
    """The operation honours an Idempotency-Key header."""
    approves: bool = False
    """Approves or rejects what was held back for a person."""
    grants: Literal["oauth_token"] | None = None
    """The kind of credential that the answer's access_token is."""
    credits: Credits | None = None
    response: Literal["json", "empty", "text", "file", "stream"] = "json"
    failure_prefixes: tuple[str, ...] = ()
    """A text answer that begins with one of these is an error although its status is 200."""
    paging: Paging | None = None
    body: Literal["object", "whole", "multipart"] = "object"
    """`whole`: the one body parameter is the whole body."""
    returns: str | None = None
    """The entity of the answer: `contact` for one record, `contact[]` for a list."""
    poll: Poll | None = None
    deprecated: str | None = None
    neighbours: tuple[Neighbour, ...] = ()
    rules: tuple[Rule, ...] = ()
    example: dict[str, Any] | None = None
    """Arguments of a worked example, where the schema alone would not make a good one."""
    parameters: tuple[Parameter, ...]

    @field_validator("parameters")
    @classmethod
    def _names_are_unique(cls, parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
        names = [p.name for p in parameters]
        if len(names) != len(set(names)):
            raise ValueError(f"a parameter name stands twice in {names}")
        return parameters

    @property
    def method(self) -> str:
        return self.operation.split(" ", 1)[0]

    @property
    def path(self) -> str:
        return self.operation.split(" ", 1)[1]

    @property
    def is_write(self) -> bool:
        return self.effect != "read" if self.write is None else self.write

    @cached_property
    def parameter_by_name(self) -> dict[str, Parameter]:
        return {p.name: p for p in self.parameters}

    @cached_property
    def spellings(self) -> dict[str, str]:
        """Other spellings of the parameters, with the name of each."""
        table: dict[str, str] = {}
        for parameter in self.parameters:
            for other in (parameter.wire, *parameter.also_accepts, _camel(parameter.name)):
                table.setdefault(other, parameter.name)
        return table


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(t.title() for t in tail)


class Entity(_Model):
    """Hints for showing and storing one kind of record."""

    columns: tuple[str, ...] = ()
    """The fields that matter in a list, most important first, after the id."""
    html: tuple[str, ...] = ()
    outsider: tuple[str, ...] = ()
    """Fields whose text people outside the workspace may have written."""


class Toolset(_Model):
    """One resource group of the API."""

    toolset: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    summary: str
    entities: dict[str, Entity] = {}
    tools: tuple[Tool, ...]


_TOOLSET = TypeAdapter(Toolset)


def data_directory(kind: Literal["tools", "schemas"]) -> Path:
    """The folder of definitions: inside an installed wheel, else at the top of the checkout."""
    installed = Path(__file__).parent / "_data" / kind
    return installed if installed.is_dir() else Path(__file__).parents[2] / kind


def load_toolsets(directory: Path | None = None) -> tuple[Toolset, ...]:
    """Read every toolset, in the order of their file names. Raises DefinitionError naming file and place."""
    toolsets = []
    for file in sorted((directory or data_directory("tools")).glob("*.json")):
        try:
            toolset = _TOOLSET.validate_json(file.read_bytes())
        except ValidationError as error:
            raise DefinitionError(f"{file.name}: {error}") from None
        if toolset.toolset != file.stem:
            raise DefinitionError(f"{file.name}: holds the toolset {toolset.toolset!r}; name the file after it")
        toolsets.append(toolset)
    return tuple(toolsets)


@cache
def shared_schema(name: str) -> dict[str, Any]:
    """The schema schemas/<name>.json. Raises DefinitionError when there is none."""
    file = data_directory("schemas") / f"{name}.json"
    try:
        schema: dict[str, Any] = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise DefinitionError(f"no shared schema {name!r}: schemas/{name}.json does not exist") from None
    return schema


def inline(fragment: Any) -> Any:
    """The schema with every `{"$ref": "<name>"}` replaced by what it names; keys beside the `$ref` win."""
    if isinstance(fragment, dict):
        if "$ref" in fragment:
            rest = {k: inline(v) for k, v in fragment.items() if k != "$ref"}
            return {**inline(shared_schema(fragment["$ref"])), **rest}
        return {k: inline(v) for k, v in fragment.items()}
    if isinstance(fragment, list):
        return [inline(v) for v in fragment]
    return fragment


_TYPE_SCHEMAS: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "uuid": {"type": "string", "format": "uuid"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "date_or_datetime": {"type": "string"},
    "time": {"type": "string", "pattern": "^([01]\\d|2[0-3]):[0-5]\\d$"},
    "email": {"type": "string", "format": "email"},
    "url": {"type": "string", "format": "uri"},
    "phone": {"type": "string", "pattern": "^\\+[1-9]\\d{6,14}$"},
    "color": {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"},
    "timezone": {"type": "string"},
    "cron": {"type": "string"},
    "csv": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "object": {"type": "object"},
    "array": {"type": "array"},
    "any": {},
}
PATTERN_WORDS = {
    r"^\+[1-9]\d{6,14}$": "an E.164 number like +61412345678",
    r"^([01]\d|2[0-3]):[0-5]\d$": "a time of 24 hours, HH:MM, like 09:00",
    r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$": "a time of 24 hours, HH:MM:SS, like 09:00:00",
    r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}$": "a date and a time of 24 hours, like 2026-03-31 09:00",
    r"^\s*\S+(\s+\S+){4}\s*$": "five fields, minute hour day-of-month month day-of-week, like 0 9 * * 1",
    r"^#[0-9a-fA-F]{6}$": "a hex colour like #3b82f6",
    r"^[A-Z]{3}$": "a currency in three capital letters, like AUD",
    r"^[a-z0-9-]+$": "small letters, digits and dashes, like smith-plumbing",
    r"^[a-z0-9][a-z0-9._-]{0,63}$": "1 to 64 small letters, digits, dots, dashes and underscores, like accounts.team",
}
"""What a text has to be that one of the definitions' patterns asks for, ending in an example."""
_KEYWORDS = {
    "minimum": "minimum", "maximum": "maximum", "min_length": "minLength", "max_length": "maxLength",
    "min_items": "minItems", "max_items": "maxItems", "pattern": "pattern",
}  # fmt: skip


def _whole(number: Any) -> Any:
    return int(number) if isinstance(number, float) and number.is_integer() else number


def parameter_schema(parameter: Parameter) -> dict[str, Any]:
    """The JSON Schema of one parameter: self-contained, without `$ref`."""
    schema = dict(_TYPE_SCHEMAS[parameter.type])
    if parameter.items:
        schema["items"] = dict(_TYPE_SCHEMAS[parameter.items])
    if parameter.fragment:
        schema.update(inline(parameter.fragment))
    for ours, theirs in _KEYWORDS.items():
        if (value := getattr(parameter, ours)) is not None:
            schema[theirs] = _whole(value)
    if parameter.enum:
        schema["enum"] = list(parameter.enum)
    if parameter.default is not None:
        schema["default"] = parameter.default
    if parameter.nullable and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    if parameter.description:
        schema["description"] = parameter.description
    return schema


def input_schema(tool: Tool) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments: an object, closed, without root combinators."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {p.name: parameter_schema(p) for p in tool.parameters},
        "additionalProperties": False,
    }
    if required := [p.name for p in tool.parameters if p.required]:
        schema["required"] = required
    return schema
