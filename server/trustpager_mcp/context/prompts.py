"""Workflow prompts: people's weekly work as steps that name their tools. The prompts themselves are data, prompts.json."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from ..dispatcher import EXECUTORS
from ..registry import Registry

Source = Literal["pipeline", "stage", "tag", "user", "trigger"]
_LONGEST_ARGUMENT = 50_000


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Argument(_Model):
    """One argument of a prompt; `default` is the words that stand for it when it is not given."""

    name: str
    description: str
    required: bool = False
    default: str = ""
    completes: Source | None = None
    """What live data completes it."""


class Step(_Model):
    """One step and the tools for it. A prompt whose step cannot be done is not offered, unless the step is optional."""

    text: str
    tools: tuple[str, ...]
    optional: bool = False


class Prompt(_Model):
    """One workflow. `goal` and the steps may hold `{argument}`; `answer` says what the result looks like."""

    name: str
    title: str
    description: str
    arguments: tuple[Argument, ...]
    goal: str
    steps: tuple[Step, ...]
    answer: str


@lru_cache(maxsize=1)
def all_prompts() -> dict[str, Prompt]:
    """Every prompt by name, in the order of the file."""
    prompts = TypeAdapter(tuple[Prompt, ...]).validate_json((Path(__file__).parent / "prompts.json").read_bytes())
    return {p.name: p for p in prompts}


def offered(registry: Registry) -> dict[str, Prompt]:
    """The prompts whose every needed tool this credential may use."""
    return {n: p for n, p in all_prompts().items() if all(s.optional or _can(s, registry) for s in p.steps)}


def _can(step: Step, registry: Registry) -> bool:
    return all(tool in registry.visible for tool in step.tools)


def rendered(prompt: Prompt, given: Mapping[str, str], registry: Registry, *, with_executors: bool) -> str:
    """The prompt's text for these arguments; optional steps that this credential cannot do are left out.

    Raises ValueError, saying what is allowed, for an unknown, missing or endless argument.
    """
    values = _values(prompt, given)
    steps = [s for s in prompt.steps if not s.optional or _can(s, registry)]
    lines = [f"{i}. {s.text.format_map(values)}{_tools(s, registry, with_executors)}" for i, s in enumerate(steps, 1)]
    how = "Arguments of a tool: describe_tool." if with_executors else ""
    rest = [prompt.answer, "Ids come from the answers of tools: never make one up.", how]
    return "\n".join([prompt.goal.format_map(values), "", *lines, "", " ".join(r for r in rest if r)])


def _values(prompt: Prompt, given: Mapping[str, str]) -> dict[str, str]:
    names = [a.name for a in prompt.arguments]
    if unknown := [n for n in given if n not in names]:
        raise ValueError(f"the prompt {prompt.name} has no argument {unknown[0]!r}; it takes {', '.join(names)}.")
    values = {a.name: given.get(a.name, "").strip() or a.default for a in prompt.arguments}
    for argument in prompt.arguments:
        if argument.required and not values[argument.name]:
            raise ValueError(f"the prompt {prompt.name} needs {argument.name}: {argument.description}.")
        if len(values[argument.name]) > _LONGEST_ARGUMENT:
            raise ValueError(f"{argument.name} is longer than {_LONGEST_ARGUMENT} characters; give it in parts.")
    return values


def _tools(step: Step, registry: Registry, with_executors: bool) -> str:
    """` (call_read: list_tasks; call_write: create_task)`, or the bare names where tools are called directly."""
    if not step.tools:
        return ""
    if not with_executors:
        return f" ({', '.join(step.tools)})"
    by_executor: dict[str, list[str]] = {}
    for name in step.tools:
        by_executor.setdefault(EXECUTORS[registry.visible[name].effect], []).append(name)
    return " (" + "; ".join(f"{executor}: {', '.join(names)}" for executor, names in by_executor.items()) + ")"
