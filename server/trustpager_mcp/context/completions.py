"""Completing the arguments of prompts and resource templates from live data, as far as the credential may read it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ..dispatcher import Dispatcher

MOST_VALUES = 100
_SECONDS_KEPT = 60.0
_MOST_PIPELINES = 10
# Source → the tool that lists it, and the fields of a row that name it, the best first.
_LISTED_BY = {
    "pipeline": ("list_pipelines", ("name",)),
    "stage": ("list_pipeline_stages", ("name",)),
    "tag": ("get_tag_palette", ("name",)),
    "user": ("list_company_users", ("full_name", "name", "email")),
    "trigger": ("list_trigger_schemas", ("trigger_type",)),
}  # fmt: skip


class Completer:
    """Completions for one credential. What was read is kept for a minute; `clock` gives seconds."""

    def __init__(self, dispatcher: Dispatcher, clock: Callable[[], float] = time.monotonic) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._rows: dict[tuple[str, str], tuple[float, list[dict[str, Any]]]] = {}

    async def values(self, source: str, begun: str, beside: Mapping[str, str] | None = None) -> list[str]:
        """The names that fit what was `begun`, those that begin with it first; none when they may not or cannot be read.

        `beside` holds the prompt's other arguments: a pipeline there narrows the stages.
        """
        rows = await self._stages((beside or {}).get("pipeline", "")) if source == "stage" else await self._read(source)
        return matching((_name(row, _LISTED_BY[source][1]) for row in rows), begun)

    async def _stages(self, pipeline: str) -> list[dict[str, Any]]:
        pipelines = await self._read("pipeline")
        wanted = [p for p in pipelines if str(p.get("name", "")).casefold() == pipeline.strip().casefold()] or pipelines
        return [row for p in wanted[:_MOST_PIPELINES] for row in await self._read("stage", pipeline_id=str(p.get("id", "")))]

    async def _read(self, source: str, **arguments: str) -> list[dict[str, Any]]:
        tool = _LISTED_BY[source][0]
        key = (tool, arguments.get("pipeline_id", ""))
        until, rows = self._rows.get(key, (0.0, []))
        if self._clock() < until:
            return rows
        if tool not in self._dispatcher.registry.visible:
            return []
        result = await self._dispatcher.call(tool, dict(arguments))
        if result.is_error:
            return []
        rows = _rows_of(result.data)
        self._rows[key] = (self._clock() + _SECONDS_KEPT, rows)
        return rows


def matching(names: Any, begun: str) -> list[str]:
    """Each name once, those that begin with `begun` before those that hold it, whatever the case."""
    wanted = begun.strip().casefold()
    unique = dict.fromkeys(n for n in names if n)
    begins = [n for n in unique if n.casefold().startswith(wanted)]
    return begins + [n for n in unique if n not in begins and wanted in n.casefold()]


def _name(row: dict[str, Any], fields: tuple[str, ...]) -> str:
    return next((str(row[f]) for f in fields if row.get(f)), "")


def _rows_of(payload: Any) -> list[dict[str, Any]]:
    """The rows of a list answer: `{"data": [...]}`, a bare list, or the one list inside `data`."""
    data = payload.get("data", payload) if isinstance(payload, dict) else payload
    if isinstance(data, dict):
        data = next((v for v in data.values() if isinstance(v, list)), [])
    return [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []
