"""Spreadsheets' rules: columns, values by their types, order of rows, and rows that merge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from .checks import moment
from .errors import invalid
from .store import Record, Store

_DEFAULT_COLUMNS = ({"header": "Item", "data_type": "text"}, {"header": "Notes", "data_type": "long_text"})
_REFERENCES = {"user_ref": ("user", "a user"), "opportunity_ref": ("opportunity", "an opportunity")}


def columns_of(given: list[Record] | None, known: list[Record]) -> list[Record]:
    """Columns with their ids: those that exist keep theirs, new ones get one. Raises VALIDATION_ERROR."""
    columns = []
    known_ids = {c["id"] for c in known}
    for index, one in enumerate(given if given else _DEFAULT_COLUMNS):
        where = f"columns.{index}"
        if not str(one["header"]).strip():
            raise invalid(f"{where}.header must not be empty", field=f"{where}.header")
        if one.get("id") and one["id"] not in known_ids:
            raise invalid(f"{where}.id: the template has no column {one['id']}; leave id out to add one", field=f"{where}.id")
        if one["data_type"] == "dropdown" and len(options_of(one)) < 2:
            raise invalid(f"{where}: a dropdown needs options, at least 2 that are not empty", field=f"{where}.options")
        columns.append({**one, "id": one.get("id") or str(uuid4())})
    ids = [c["id"] for c in columns]
    if len(set(ids)) < len(ids):
        raise invalid("columns: an id is named twice", field="columns")
    headers = [c["header"].strip().lower() for c in columns if not c.get("archived")]
    if twice := sorted({h for h in headers if headers.count(h) > 1}):
        raise invalid(f"columns: two columns have the header {twice[0]}", field="columns")
    return columns


def options_of(column: Record) -> list[str]:
    """A dropdown's values."""
    values = (o if isinstance(o, str) else o["value"] for o in column.get("options") or ())
    return [v for v in values if v.strip()]


def check_rules(columns: list[Record], sort: list[Record] | None, merge: Record | None) -> None:
    """Sorting and merging name columns by header. Raises VALIDATION_ERROR for one that the template lacks."""
    headers = {c["header"] for c in columns if not c.get("archived")}
    named = [("default_sort", s["column"]) for s in sort or ()]
    if merge:
        named += [("merge_rules.group_by", h) for h in merge["group_by"]]
        named += [(f"merge_rules.{k}", merge[k]) for k in ("period_start", "period_end")]
        for header, how in (merge.get("concat_columns") or {}).items():
            named += [("merge_rules.concat_columns", header), ("merge_rules.concat_columns.order_by", how["order_by"])]
        if not merge["group_by"]:
            raise invalid("merge_rules.group_by must name a column", field="merge_rules.group_by")
    for where, header in named:
        if header not in headers:
            raise invalid(f"{where}: there is no column {header}; columns are {', '.join(sorted(headers))}", field=where)
    for name in ("period_start", "period_end"):
        if merge and _by_header(columns)[merge[name]]["data_type"] != "date":
            raise invalid(f"merge_rules.{name} must be a date column", field=f"merge_rules.{name}")


def _by_header(columns: list[Record]) -> dict[str, Record]:
    return {c["header"]: c for c in columns if not c.get("archived")}


def check_cells(store: Store, columns: list[Record], cells: Record, before: Record) -> None:
    """Cells are keyed by column id and fit the column's type. Raises VALIDATION_ERROR.

    What a row already holds may be sent back as it is: its column may have been removed since.
    """
    by_id = {c["id"]: c for c in columns}
    for column_id, value in cells.items():
        if column_id in before and before[column_id] == value:
            continue
        where = f"cells.{column_id}"
        column = by_id.get(column_id)
        if column is None:
            named = ", ".join(f"{c['id']} ({c['header']})" for c in columns if not c.get("archived"))
            raise invalid(f"{where}: the sheet has no such column; cells are keyed by column id: {named}", field=where)
        if value is not None and (problem := _problem(store, column, value)):
            raise invalid(f"{where} ({column['header']}): {problem}", field=where)


def _problem(store: Store, column: Record, value: Any) -> str | None:
    kind = column["data_type"]
    match kind:
        case "number":
            return None if isinstance(value, (int, float)) and not isinstance(value, bool) else "must be a number"
        case "boolean":
            return None if isinstance(value, bool) else "must be true or false"
        case "date":
            return None if moment(value) else "must be an ISO 8601 date"
        case "dropdown":
            options = options_of(column)
            return None if value in options else f"must be one of {', '.join(options)}"
        case "user_ref" | "opportunity_ref":
            referred, said = _REFERENCES[kind]
            known = isinstance(value, str) and store.get(referred, value)
            return None if known else f"must be the id of {said} of this workspace"
    return None if isinstance(value, str) else "must be text"


def sorted_rows(rows: list[Record], columns: list[Record], sort: list[Record] | None) -> list[Record]:
    """Rows in the template's order; equal ones stay as they are, empty cells come last."""
    headers = _by_header(columns)
    for entry in reversed(sort or []):
        if entry["column"] in headers:
            rows = _by_cell(rows, headers[entry["column"]]["id"], entry["direction"] == "desc")
    return rows


def _by_cell(rows: list[Record], column_id: str, downwards: bool) -> list[Record]:
    filled = [r for r in rows if r["cells"].get(column_id) is not None]
    empty = [r for r in rows if r["cells"].get(column_id) is None]
    return [*sorted(filled, key=lambda r: _rank(r["cells"][column_id]), reverse=downwards), *empty]


def _rank(value: Any) -> tuple[float, str]:
    return (float(value), "") if isinstance(value, (int, float)) else (0.0, str(value).lower())


def twin(rows: list[Record], columns: list[Record], rules: Record, cells: Record) -> Record | None:
    """The row into which new cells merge: the same group, and periods that meet within the tolerance."""
    headers = _by_header(columns)
    ids = [headers[h]["id"] for h in rules["group_by"] if h in headers]
    period = _period(headers, rules, cells)
    if period is None or any(cells.get(i) is None for i in ids):
        return None
    slack = timedelta(days=rules.get("tolerance_days") or 0)
    for row in rows:
        other = _period(headers, rules, row["cells"])
        if other is None or any(row["cells"].get(i) != cells[i] for i in ids):
            continue
        if period[0] <= other[1] + slack and other[0] <= period[1] + slack:
            return row
    return None


def _period(headers: dict[str, Record], rules: Record, cells: Record) -> tuple[Any, Any] | None:
    start, end = (moment(cells.get(headers[rules[k]]["id"])) for k in ("period_start", "period_end"))
    return (start, end) if start and end and start <= end else None


def _at(cell: str) -> datetime:
    return moment(cell) or datetime.min.replace(tzinfo=UTC)


def merged(row: Record, columns: list[Record], rules: Record, cells: Record) -> Record:
    """A row that took new cells in: the whole period, joined texts in their order, and what was empty filled."""
    headers = _by_header(columns)
    parts = [*row.get("parts", [row["cells"]]), cells]
    together = {**cells, **{k: v for k, v in row["cells"].items() if v is not None}}
    for name, choose in (("period_start", min), ("period_end", max)):
        column_id = headers[rules[name]]["id"]
        together[column_id] = choose((p[column_id] for p in parts), key=_at)
    for header, how in (rules.get("concat_columns") or {}).items():
        column_id, by = headers[header]["id"], headers[how["order_by"]]["id"]
        ordered = _by_cell([{"cells": p} for p in parts], by, how.get("direction") == "desc")
        texts = [str(p["cells"][column_id]) for p in ordered if p["cells"].get(column_id) not in (None, "")]
        together[column_id] = how["separator"].join(dict.fromkeys(texts)) or None
    return {**row, "cells": together, "parts": parts}
