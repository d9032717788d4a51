"""One record as text: `key: value` lines or compact JSON, whichever is shorter, within the budget."""

from __future__ import annotations

from typing import Any

from .budget import fits
from .dates import moment
from .envelopes import Answer
from .records import LABELS, compact, is_empty, label, pick, present_keys, pruned, unknown_fields
from .tables import table
from .text import clipped, folded, is_plain, readable, turns, without_base64
from .untrusted import bounded, bounded_inline, cleaned, cleaned_value, fields_of, has_long_text
from .view import Shaped, Spilled, View

CONCISE_TEXT = 800
FULL_TEXT = 8_000
_SMALLEST_TEXT = 100
_SENTENCE = 40
"""A text answer longer than the API's own "Your booking is cancelled." may quote what others wrote."""
_TABLE_ROWS = 3
_MANY_FIELDS = 1_000
_MAX_NESTED = 4_000
_NEWLINE = "\n"
_PLAIN_KINDS = (bool, int, float)


class _Fields:
    """A record being written: its trusted and its outsiders' lines, and what is to be told below."""

    def __init__(self, view: View, text_limit: int) -> None:
        self.view = view
        self.text_limit = text_limit
        self.values: dict[str, Any] = {}
        self.outsiders: set[str] = set()
        self.removed = 0
        self.clipped: list[str] = []
        self.left_out: dict[str, int] = {}
        self.structured = False
        """Some value is no plain line: it is nested or of several lines."""
        self._known = fields_of(view.entity)
        self._everything = view.everything

    def add(self, chosen: dict[str, Any]) -> None:
        known, values, outsiders = self._known, self.values, self.outsiders
        for name, value in chosen.items():
            field = known[name]
            shown_name = field.name
            outside = field.outsiders
            kind = type(value)
            # Most values of a record are short plain texts, numbers and flags, which no rule for texts has anything to do with.
            if kind is str and is_plain(value):
                if len(value) > 16 and value[4] == "-" and not self._everything:
                    value = moment(value, self.view.zone)
            elif kind not in _PLAIN_KINDS:
                outside = outside or has_long_text(value)
                self.structured = True
                value = self._shown(name, value, field.html)
            values[shown_name] = value
            if outside:
                outsiders.add(shown_name)
            if field.removed:
                self.removed += field.removed

    def _shown(self, name: str, value: Any, html: bool) -> Any:
        if isinstance(value, str):
            return self._text(name, value, html)
        if (spoken := turns(value)) is not None and self.view.format != "json":
            return self._text(name, spoken, html)
        if isinstance(value, (dict, list)):
            return self._nested(name, value)
        return value

    def _text(self, name: str, value: str, html: bool) -> str:
        view = self.view
        text = moment(value, view.zone)
        if not view.everything:
            text = readable(text, html=html)
            if view.detail == "concise" and len(text) > 200 and view.fields != (name,):
                text = folded(text)
        else:
            text = without_base64(value)
        text, removed = cleaned(text)
        self.removed += removed
        if len(text) > self.text_limit:
            self.clipped.append(name)
            text = clipped(text, self.text_limit)
        return text

    def _nested(self, name: str, value: Any) -> Any:
        tree, removed = cleaned_value(_readable_tree(pruned(value), self.view))
        self.removed += removed
        limit = min(_MAX_NESTED, self.text_limit * 4) if self.view.detail == "concise" else self.text_limit * 4
        if (
            isinstance(tree, list)
            and len(tree) >= _TABLE_ROWS
            and all(isinstance(v, dict) for v in tree)
            and self.view.format != "json"
        ):
            columns = present_keys(tree)
            if len(columns) <= 12:
                return _NestedRows(columns, tree, name, self)
        size = len(compact(tree))
        if size > limit:
            self.left_out[name] = size
            if isinstance(tree, list):
                return f"({len(tree)} items, {size} characters, left out)"
            return f"(object of {len(tree)} keys, {size} characters, left out)" if isinstance(tree, dict) else tree
        return tree


class _NestedRows:
    """A list of records inside a record, written as a small table."""

    def __init__(self, columns: list[str], rows: list[dict[str, Any]], name: str, fields: _Fields) -> None:
        self.columns, self.rows = columns, rows
        lines = [",".join(columns)]
        used = 0
        limit = min(_MAX_NESTED, fields.text_limit * 4) if fields.view.detail == "concise" else fields.text_limit * 4
        for row in rows:
            line = ",".join(_csv(self._cell(row.get(c), name, fields)) for c in columns)
            used += len(line) + 1
            if used > limit:
                fields.left_out[name] = len(rows) - len(lines) + 1
                break
            lines.append(line)
        self.shown = len(lines) - 1
        self.text = "\n".join(lines)

    def _cell(self, value: Any, name: str, fields: _Fields) -> str:
        """Scalars and lists of them as they read; in a concise answer a list of records by what tells each, which is told."""
        if not isinstance(value, (dict, list)):
            return label(value)
        if isinstance(value, list) and not any(isinstance(v, (dict, list)) for v in value):
            return label(value)
        heads = [_head(v) for v in value] if isinstance(value, list) else []
        if len(heads) >= _TABLE_ROWS and all(heads) and fields.view.detail == "concise" and not fields.view.fields:
            fields.left_out.setdefault(name, len(compact(value)))
            return "; ".join(str(h) for h in heads)
        return compact(value)

    def __str__(self) -> str:
        total = f"{self.shown} of {len(self.rows)}" if self.shown < len(self.rows) else str(len(self.rows))
        return f"({total} rows)\n{self.text}"


def _head(value: Any) -> str | None:
    """What tells a record inside a cell: its name, else its first short value."""
    if not isinstance(value, dict):
        return None
    named = next((value[k] for k in LABELS if isinstance(value.get(k), str) and value[k]), None)
    return named or next(
        (label(v) for k, v in value.items() if k != "id" and isinstance(v, (str, int)) and 0 < len(label(v)) <= 40), None
    )


def _csv(text: str) -> str:
    text = text.replace("\n", " ")
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text


def _readable_tree(value: Any, view: View, depth: int = 0) -> Any:
    """Nested texts without markup and encoded bytes, moments in the zone."""
    if isinstance(value, str):
        if view.everything:
            return without_base64(value)
        return readable(moment(value, view.zone))
    if depth > 60:
        return value
    if isinstance(value, dict):
        return {k: _readable_tree(v, view, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_readable_tree(v, view, depth + 1) for v in value]
    return value


def record(answer: Answer, view: View, payload: Any = None) -> Shaped:
    """One record as text; whatever does not fit is named, with how to read it."""
    whole = answer.record
    if isinstance(whole, list):
        return table(Answer(rows=whole), view, payload)
    if not isinstance(whole, dict):
        return Shaped(_scalar(whole, view), payload)
    chosen = _chosen(whole, view)
    limit = FULL_TEXT if view.detail == "full" or view.fields else CONCISE_TEXT
    if len(chosen) > _MANY_FIELDS:
        limit = _SMALLEST_TEXT
    while True:
        fields = _Fields(view, limit)
        fields.add(chosen)
        text = _written(fields, whole)
        if fits(text, view.limits):
            return Shaped(text, payload)
        if limit <= _SMALLEST_TEXT:
            return Shaped(_smallest(fields, whole), payload)
        limit = max(_SMALLEST_TEXT, limit // 3)


def _scalar(value: Any, view: View) -> str:
    text = value if isinstance(value, str) else compact(value)
    return _text_result(text, view)


def text_answer(text: str, view: View, payload: Any = None) -> Shaped:
    """A plain text as text."""
    return Shaped(_text_result(readable(text), view), payload)


def _text_result(text: str, view: View) -> str:
    shown, removed = cleaned(text)
    notes = [f"({removed} control or invisible characters removed)"] if removed else []
    room = view.limits.fitted_characters
    while not fits(shown, view.limits):
        room = room * 2 // 3
        shown = clipped(shown, room)
    if len(shown) != len(text) - removed and (
        handle := view.keep(Spilled("text", text, view.tool.name, media_type="text/plain"))
    ):
        notes.append(f'whole text: read_result("{handle}")')
    if len(shown) > _SENTENCE and " " in shown:
        shown = bounded(shown, view.nonce)
    return "\n".join([shown or "(an empty text)", *notes])


def _chosen(whole: dict[str, Any], view: View) -> dict[str, Any]:
    if view.everything or not view.fields:
        return {
            k: v for k, v in whole.items() if not (v is None or v == "" or (isinstance(v, (dict, list)) and is_empty(pruned(v))))
        }
    return {f: value for f in view.fields if (value := pick(whole, f)) is not None}


def _written(fields: _Fields, whole: dict[str, Any]) -> str:
    view = fields.view
    notes = _notes(fields, whole)
    if view.format == "json":
        values = {k: _in_json(v, k in fields.outsiders, view.nonce) for k, v in fields.values.items()}
        return compact({**values, "notes": notes} if notes else values)
    trusted: dict[str, Any] = {}
    outside: dict[str, Any] = {}
    for name, value in fields.values.items():
        (outside if name in fields.outsiders else trusted)[name] = value
    parts = [] if not trusted else [_shortest(trusted, view) if fields.structured else _lines(trusted, view)]
    if outside:
        parts.append(bounded(_lines(outside, view), view.nonce))
    return "\n".join([*parts, *notes]) or "{}"


def _in_json(value: Any, outside: bool, nonce: str) -> Any:
    if isinstance(value, _NestedRows):
        return value.rows[: value.shown]
    if outside and isinstance(value, str):
        return bounded_inline(value, nonce)
    if outside and isinstance(value, (dict, list)):
        return {f"outsider-{nonce}": value}
    return value


def _shortest(values: dict[str, Any], view: View) -> str:
    lines = _lines(values, view)
    if view.format == "markdown" or not any(map(_may_be_shorter_as_json, values.values())):
        return lines
    if any(isinstance(v, _NestedRows) for v in values.values()):
        return lines
    text = compact(values)
    return text if len(text) < len(lines) else lines


def _may_be_shorter_as_json(value: Any) -> bool:
    """Lists of numbers and texts of several lines; for anything else a line is shorter, so that JSON need not be tried."""
    return "\n" in value if isinstance(value, str) else isinstance(value, (list, dict, _NestedRows))


def _lines(values: dict[str, Any], view: View) -> str:
    if view.format == "markdown":
        return "\n".join([f"- **{k}**: {_one(v)}" for k, v in values.items()])
    return "\n".join([f"{k}: {v if type(v) is str and _NEWLINE not in v else _one(v)}" for k, v in values.items()])


def _one(value: Any) -> str:
    if isinstance(value, str):
        return "\n  " + value.replace("\n", "\n  ") if "\n" in value else value
    if isinstance(value, list) and all(isinstance(v, (str, int, float)) for v in value):
        text = ", ".join(label(v) for v in value)
        return text if not any(isinstance(v, str) and "," in v for v in value) else compact(value)
    if isinstance(value, (dict, list)):
        return compact(value)
    return str(value) if isinstance(value, _NestedRows) else label(value)


def _notes(fields: _Fields, whole: dict[str, Any]) -> list[str]:
    view = fields.view
    notes = []
    if view.fields and not view.everything and (unknown := unknown_fields([whole], view.fields)):
        notes.append(f"no field {', '.join(unknown)}; there are: {clipped(', '.join(whole), 600)}")
    if fields.removed:
        notes.append(f"({fields.removed} control or invisible characters removed)")
    if fields.clipped or fields.left_out:
        handle = view.keep(Spilled("record", whole, view.tool.name, view.entity))
        first = (fields.clipped or list(fields.left_out))[0]
        names = ", ".join([*fields.clipped, *fields.left_out])
        how = f'read_result("{handle}", text_of="{first}")' if handle else "it is too large to keep; ask with fields=[...]"
        notes.append(f"(not whole: {clipped(cleaned(names)[0], 600)}; {how})")
    return notes


def _smallest(fields: _Fields, whole: dict[str, Any]) -> str:
    """A record of too many fields: as many as fit, the number of the others, and how to get them."""
    view = fields.view
    handle = view.keep(Spilled("record", whole, view.tool.name, view.entity))
    names = sorted(fields.values, key=lambda k: len(compact(str(fields.values[k]))))
    low, high = 0, len(names)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(_some(fields, names[:middle], len(names), handle), view.limits):
            low = middle
        else:
            high = middle - 1
    return _some(fields, names[:low], len(names), handle)


def _some(fields: _Fields, names: list[str], total: int, handle: str | None) -> str:
    wanted = set(names)
    values = {k: v for k, v in fields.values.items() if k in wanted}
    how = f'read_result("{handle}", fields=[...] or search="...")' if handle else "ask with fields=[...]"
    note = f"{total - len(names)} of {total} fields left out: {how}"
    if fields.view.format == "json":
        return compact({**{k: _in_json(v, True, fields.view.nonce) for k, v in values.items()}, "notes": [note]})
    return bounded(_lines(values, fields.view), fields.view.nonce) + "\n" + note
