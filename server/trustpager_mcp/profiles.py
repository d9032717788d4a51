"""Profiles: which tools stand in tools/list. What may be called is the registry's business, not the profile's."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from .catalog import Catalog
from .errors import ConfigurationError
from .registry import Registry

PROFILES = ("lean", "core", "all")
CORE_TOOLS = (
    "search_everything", "list_opportunities", "get_opportunity", "create_opportunity", "move_opportunity",
    "list_pipelines", "list_pipeline_stages", "list_contacts", "get_contact", "create_contact", "create_activity",
    "create_task",
)  # fmt: skip


@dataclass(frozen=True)
class Selection:
    """What `--tools` says: a profile, or named toolsets and tools (which also bound what may be called)."""

    profile: str | None
    toolsets: frozenset[str] | None = None
    tools: frozenset[str] = frozenset()


def parse_selection(text: str, catalog: Catalog) -> Selection:
    """`core` | `lean` | `all` | `contacts,email,create_task,list_*`. Raises ConfigurationError for what matches nothing."""
    names = [n.strip() for n in text.split(",") if n.strip()]
    if not names:
        raise ConfigurationError(f"--tools is empty. Give {', '.join(PROFILES)}, or toolsets and tools by name.")
    if len(names) == 1 and names[0] in PROFILES:
        return Selection(names[0])
    if any(n in PROFILES for n in names):
        raise ConfigurationError(f"--tools {text!r}: a profile ({', '.join(PROFILES)}) stands alone.")
    toolsets = frozenset(n for n in names if n in catalog.toolsets)
    matches = {n: [t for t in catalog.tools if t == n or (is_glob(n) and fnmatchcase(t, n))] for n in names}
    tools = frozenset(t for found in matches.values() for t in found)
    if unknown := [n for n in names if n not in toolsets and not matches[n]]:
        import difflib

        near = difflib.get_close_matches(unknown[0], [*catalog.toolsets, *catalog.tools, *PROFILES], n=3, cutoff=0.5)
        known = f"Did you mean {' or '.join(near)}?" if near else f"Toolsets: {', '.join(catalog.toolsets)}."
        raise ConfigurationError(f"--tools names {unknown[0]!r}, which is neither toolset nor tool. {known}")
    return Selection(None, toolsets, tools)


def is_glob(name: str) -> bool:
    """Whether a name is a pattern rather than a name."""
    return any(c in name for c in "*?[")


def directly_listed(selection: Selection, registry: Registry) -> list[str]:
    """The names of the API tools that tools/list shows, in a stable order."""
    if selection.profile == "lean":
        return []
    if selection.profile == "core":
        return [n for n in CORE_TOOLS if n in registry.visible]
    return list(registry.visible)


def with_meta_tools(selection: Selection) -> bool:
    """Whether find_tools, describe_tool and the executors are listed and answer."""
    return selection.profile in ("lean", "core")


def used_toolsets(registry: Registry) -> list[str]:
    """The toolsets that hold a tool that this credential may use, in the order of the catalogue."""
    return list(dict.fromkeys(registry.catalog.toolset_of[n] for n in registry.visible))
