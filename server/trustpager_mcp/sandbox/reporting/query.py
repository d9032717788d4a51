"""Answering a report query: rows filtered, grouped and measured, or the single rows behind a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from operator import itemgetter
from typing import Any, TypeVar

from ..checks import moment
from ..company import setting
from ..errors import invalid
from ..store import Record
from ..world import World
from ..zones import must_find
from .filters import Test, test_of
from .sources import SOURCES, Row, Source, label_of, virtual_value

_Row = TypeVar("_Row")
DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
_NO_MEASURE = ({"field": "id", "aggregation": "count", "alias": "count"},)


@dataclass(frozen=True)
class Query:
    """A query that can be run: every name is known and fits its role."""

    source: Source
    drilldown: bool
    measures: tuple[Record, ...]
    dimensions: tuple[str, ...]
    filters: tuple[Record, ...]
    period: tuple[str, str] | None
    """Time field and granularity."""
    order: tuple[tuple[str, bool], ...]
    """Fields, and whether downwards."""
    limit: int
    point: tuple[str, str] | None
    """In a drilldown: the group whose rows are wanted, as dimension and value."""


def parse(spec: Record) -> Query:
    """A query as callers write it. Raises VALIDATION_ERROR with what is allowed."""
    source = SOURCES[spec["source"]]
    drilldown = spec.get("mode", "aggregate") == "drilldown"
    dimensions = tuple(dict.fromkeys(spec.get("dimensions") or ()))
    allowed = (*source.dimensions, *source.virtual)
    if drilldown:
        allowed = (*allowed, *(n for n in source.measures if n != "id"), *source.times)
    if unknown := [d for d in dimensions if d not in allowed]:
        raise invalid(f"dimensions: {source.name} has no {', '.join(unknown)}; it has {', '.join(allowed)}", field="dimensions")
    query = Query(
        source, drilldown, _measures(source, spec), dimensions, tuple(spec.get("filters") or ()), _period(source, spec), (),
        _limit(spec), _point(source, spec, drilldown),
    )  # fmt: skip
    _check_filters(query)
    return replace(query, order=_order(query, spec))


def _limit(spec: Record) -> int:
    limit = spec.get("limit", DEFAULT_LIMIT)
    if not 1 <= limit <= MAX_LIMIT:
        raise invalid(f"limit must be between 1 and {MAX_LIMIT}", field="limit")
    return int(limit)


def _measures(source: Source, spec: Record) -> tuple[Record, ...]:
    measures = []
    for index, one in enumerate(spec.get("measures") or _NO_MEASURE):
        name, how = one["field"], one["aggregation"]
        where = f"measures.{index}"
        if name not in source.measures:
            raise invalid(f"{where}: {source.name} cannot measure {name}; it has {', '.join(source.measures)}", field=where)
        if how not in source.measures[name]:
            raise invalid(f"{where}: {name} can be aggregated by {', '.join(source.measures[name])}, not {how}", field=where)
        measures.append({"field": name, "aggregation": how, "alias": one.get("alias") or f"{name}_{how}"})
    aliases = [m["alias"] for m in measures]
    taken = {*(spec.get("dimensions") or ()), (spec.get("time_dimension") or {}).get("field")}
    if len(set(aliases)) < len(aliases) or set(aliases) & taken:
        raise invalid(f"measures: every alias must be of its own; got {', '.join(aliases)}", field="measures")
    return tuple(measures)


def _period(source: Source, spec: Record) -> tuple[str, str] | None:
    given = spec.get("time_dimension")
    if not given:
        return None
    if given["field"] not in source.times:
        known = ", ".join(source.times)
        raise invalid(f"time_dimension: {source.name} has no time {given['field']}; it has {known}", field="time_dimension.field")
    return given["field"], given.get("granularity") or "month"


def _point(source: Source, spec: Record, drilldown: bool) -> tuple[str, str] | None:
    name, value = spec.get("drilldown_dimension"), spec.get("drilldown_value")
    if name is None and value is None:
        return None
    if not drilldown:
        raise invalid('drilldown_dimension and drilldown_value need mode "drilldown"', field="mode")
    if name is None or value is None:
        raise invalid("drilldown_dimension and drilldown_value go together", field="drilldown_dimension")
    allowed = (*source.dimensions, *source.times)
    if name not in allowed:
        raise invalid(f"drilldown_dimension: {name} is none of {', '.join(allowed)}", field="drilldown_dimension")
    return name, value


def _check_filters(query: Query) -> None:
    for index, one in enumerate(query.filters):
        where = f"filters.{index}"
        if one["field"] in query.source.virtual:
            made = query.source.virtual[one["field"]]
            raise invalid(f"{where}: {one['field']} is for display only ({made}) and cannot be filtered", field=where)
        test_of(one, query.source.filterable, None, where)


def _order(query: Query, spec: Record) -> tuple[tuple[str, bool], ...]:
    given = spec.get("order_by") if spec.get("order_by") is not None else spec.get("sort")
    entries = [given] if isinstance(given, dict) else given or []
    time = (query.period[0],) if query.period else ()
    aliases = tuple(m["alias"] for m in query.measures)
    allowed = tuple(query.source.filterable) if query.drilldown else (*query.dimensions, *time, *aliases)
    order = []
    for index, one in enumerate(entries):
        where = f"order_by.{index}"
        name = one.get("field") if isinstance(one, dict) else None
        if name in query.source.virtual:
            raise invalid(f"{where}: {name} is for display only and cannot be sorted by", field=where)
        if name not in allowed or one.get("direction", "asc") not in ("asc", "desc"):
            raise invalid(f"{where}: give field, one of {', '.join(allowed)}, and direction asc or desc", field=where)
        order.append((name, one.get("direction") == "desc"))
    return tuple(order)


def run(world: World, spec: Record, user_id: str | None) -> Record:
    """Rows, columns and counts. `user_id` is whom "the current user" means in filters. Raises VALIDATION_ERROR."""
    query = parse(spec)
    tests = [test_of(f, query.source.filterable, user_id, f"filters.{i}") for i, f in enumerate(query.filters)]
    kept = list(_kept(world, query, tests))
    rows = _singles(query, kept) if query.drilldown else _groups(world, query, kept)
    shown = rows[: query.limit]
    return {
        "source": query.source.name, "mode": "drilldown" if query.drilldown else "aggregate", "columns": _columns(query),
        "rows": shown, "row_count": len(shown), "total_rows": len(rows), "truncated": len(rows) > len(shown),
        "records_matched": len({row.id for row, _ in kept}),
    }  # fmt: skip


def _kept(world: World, query: Query, tests: list[Test]) -> Iterable[tuple[Row, Record]]:
    """Rows with their values, where the filters hold."""
    spoken_of = {*query.dimensions, *(f["field"] for f in query.filters), *(name for name, _ in query.order)}
    spoken_of |= {query.period[0]} if query.period else set()
    spoken_of |= {query.point[0]} if query.point else set()
    if query.drilldown and not query.dimensions:
        spoken_of |= set(query.source.default_columns)
    for row in query.source.rows(world):
        for values in row.spread(spoken_of):
            if all(test(values) for test in tests) and _at_point(world, query, values):
                yield row, values


def _at_point(world: World, query: Query, values: Record) -> bool:
    if query.point is None:
        return True
    name, wanted = query.point
    value = values.get(name)
    if name in query.source.times:
        granularity = query.period[1] if query.period else "day"
        return period_of(world, value, granularity) == period_of(world, wanted, granularity) is not None
    return value is not None and str(value).lower() == wanted.lower()


def period_of(world: World, value: Any, granularity: str) -> str | None:
    """The first day of the period in which a time falls, in the workspace's zone."""
    at = moment(value)
    if at is None:
        return None
    # A date stands for itself; a moment falls on the day that it is in the workspace.
    day = at.date() if len(str(value)) == 10 else at.astimezone(must_find(setting(world.store, "timezone"))).date()
    match granularity:
        case "week":
            day -= timedelta(days=day.weekday())
        case "month":
            day = day.replace(day=1)
        case "quarter":
            day = day.replace(month=day.month - (day.month - 1) % 3, day=1)
        case "year":
            day = day.replace(month=1, day=1)
    return day.isoformat()


def _groups(world: World, query: Query, kept: list[tuple[Row, Record]]) -> list[Record]:
    """One row per combination of period and dimensions; a record counts once in each."""
    groups: dict[tuple[Any, ...], dict[str, Record]] = {}
    for row, values in kept:
        if query.period and values.get(query.period[0]) is None:
            continue
        key = tuple(_shown(query, name, values) for name in query.dimensions)
        if query.period:
            key = (period_of(world, values[query.period[0]], query.period[1]), *key)
        groups.setdefault(key, {})[row.id] = values
    names = [query.period[0]] if query.period else []
    names += query.dimensions
    if not names and not groups:
        groups[()] = {}
    rows = [
        {**dict(zip(names, key, strict=True)), **{m["alias"]: _measured(m, members.values()) for m in query.measures}}
        for key, members in groups.items()
    ]
    order = query.order or ([(names[0], False)] if query.period else [(query.measures[0]["alias"], True)])
    return _sorted(sorted(rows, key=lambda r: [_rank(r[n]) for n in names]), order)


def _measured(measure: Record, members: Iterable[Record]) -> float | int | None:
    values: list[float] = [v[measure["field"]] for v in members if v.get(measure["field"]) is not None]
    match measure["aggregation"]:
        case "count":
            return len(values)
        case "sum":
            return round(sum(values), 2)
        case "avg":
            return round(sum(values) / len(values), 2) if values else None
        case "min":
            return min(values, default=None)
    return max(values, default=None)


def _singles(query: Query, kept: list[tuple[Row, Record]]) -> list[Record]:
    """One row per record; where it has several of a thing (pipelines, people), they are named together."""
    variants: dict[str, tuple[Row, list[Record]]] = {}
    for row, values in kept:
        variants.setdefault(row.id, (row, []))[1].append(values)
    columns = query.dimensions or query.source.default_columns
    rows = []
    for row, found in variants.values():
        hidden = {name: found[0].get(name) for name, _ in query.order}
        cells = {name: _together([_shown(query, name, values) for values in found]) for name in columns}
        rows.append((hidden, {"id": row.id, "name": row.name, **cells}))
    for name, downwards in reversed(query.order):
        rows = _ordered(rows, _of_pair(name), downwards)
    return [shown for _, shown in rows]


def _of_pair(name: str) -> Callable[[tuple[Record, Record]], Any]:
    return lambda pair: pair[0][name]


def _together(values: list[Any]) -> Any:
    distinct = list(dict.fromkeys(values))
    return distinct[0] if len(distinct) == 1 else ", ".join(str(v) for v in distinct if v is not None)


def _shown(query: Query, name: str, values: Record) -> Any:
    return virtual_value(name, values) if name in query.source.virtual else values.get(name)


def _sorted(rows: list[Record], order: Iterable[tuple[str, bool]]) -> list[Record]:
    for name, downwards in reversed(list(order)):
        rows = _ordered(rows, itemgetter(name), downwards)
    return rows


def _ordered(rows: list[_Row], value: Callable[[_Row], Any], downwards: bool) -> list[_Row]:
    """Stable; missing values come last either way."""
    known = [r for r in rows if value(r) is not None]
    return [*sorted(known, key=lambda r: _rank(value(r)), reverse=downwards), *(r for r in rows if value(r) is None)]


def _rank(value: Any) -> tuple[bool, float, str]:
    if isinstance(value, (int, float)):
        return value is None, float(value), ""
    return value is None, 0.0, str(value or "").lower()


def _columns(query: Query) -> list[Record]:
    source = query.source
    kinds = {**source.filterable, **dict.fromkeys(source.virtual, "text")}
    if query.drilldown:
        names = query.dimensions or source.default_columns
    else:
        names = (*((query.period[0],) if query.period else ()), *query.dimensions)
    columns = [{"key": n, "label": label_of(n), "type": kinds[n]} for n in names]
    if not query.drilldown:
        columns += [{"key": m["alias"], "label": label_of(m["alias"]), "type": "number"} for m in query.measures]
    return columns
