"""Files as text: what they are, how large, and a preview of what is in them; never their bytes."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from .envelopes import Answer
from .images import dimensions, pdf_pages
from .tables import table
from .text import clipped
from .untrusted import bounded, cleaned
from .view import Download, Shaped, Spilled, View

PREVIEW_ROWS = 5
_MAX_ROWS = 50_000
_MAX_UNPACKED = 200 * 1024 * 1024
_MAX_LISTED = 30
_MAX_SHEETS = 5


@dataclass(frozen=True)
class Sheet:
    """A sheet of a workbook, or a CSV file, as records. `rows` is how many there are; `records` may be fewer."""

    name: str
    header: list[str]
    records: list[dict[str, Any]]
    rows: int


def file_result(file: Download, view: View) -> Shaped:
    """The file described and previewed, with where its bytes and rows are to be had."""
    name = cleaned(file.name)[0].replace("\n", " ")[:120]
    kind, lines = _described(file, view)
    head = [f"file: {name} ({kind}, {len(file.content):,} bytes)"]
    if file.rows is not None:
        head[0] += f", {file.rows} rows"
    if file.truncated:
        head.append("The API cut this export: it does not hold every row. Narrow the filters for a whole one.")
    data: dict[str, Any] = {"file": name, "content_type": file.content_type, "bytes": len(file.content)}
    if view.save is not None:
        path = view.save(file.name, file.content)
        data["path"] = path
        head.append(f"saved: {path}")
    elif handle := view.keep(Spilled("file", file.content, name, media_type=file.content_type)):
        data["resource"] = f"trustpager://results/{handle}"
        head.append(f"whole file: resource {data['resource']}")
    if file.rows is not None:
        data["rows"] = file.rows
    if file.truncated:
        data["truncated"] = True
    return Shaped("\n".join([*head, *lines]), {"data": data})


def _described(file: Download, view: View) -> tuple[str, list[str]]:
    content = file.content
    try:
        if content[:4] == b"PK\x03\x04":
            return _packed(content, view)
        if content[:5] == b"%PDF-":
            return pdf_pages(content), []
        if size := dimensions(content):
            return size, []
        if file.content_type == "text/csv" or file.name.lower().endswith((".csv", ".tsv")):
            return "CSV", _sheet_lines(csv_sheet(content), view)
        if _is_text(content):
            text = content[:200_000].decode("utf-8", "replace")
            return file.content_type or "text", [bounded(clipped(cleaned(text)[0], 2_000), view.nonce)]
    except (ValueError, KeyError, OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, csv.Error) as error:
        return f"{file.content_type}, cannot be previewed: {clipped(cleaned(str(error))[0], 120) or type(error).__name__}", []
    return file.content_type or "unknown type", []


def _packed(content: bytes, view: View) -> tuple[str, list[str]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        names = {e.filename for e in entries}
        unpacked = sum(e.file_size for e in entries)
    if "xl/workbook.xml" in names:
        if unpacked > _MAX_UNPACKED:
            return f"XLSX that unpacks to {unpacked:,} bytes, too large to preview", []
        sheets, total = workbook(content)
        lines = [line for sheet in sheets for line in _sheet_lines(sheet, view)]
        if total > len(sheets):
            lines.append(f"{total - len(sheets)} more sheets")
        return "XLSX", lines
    if "word/document.xml" in names:
        return "DOCX", []
    if "ppt/presentation.xml" in names:
        return "PPTX", []
    rows = [{"name": e.filename, "bytes": e.file_size} for e in entries if not e.is_dir()]
    shown = table(Answer(rows=rows[:_MAX_LISTED]), replace(view, entity=None, fields=("name", "bytes"), format="table")).text
    more = [f"{len(rows) - _MAX_LISTED} more files"] if len(rows) > _MAX_LISTED else []
    return f"ZIP of {len(rows)} files, {unpacked:,} bytes unpacked", [bounded_if_needed(shown, view), *more]


def workbook(content: bytes) -> tuple[list[Sheet], int]:
    """The first sheets of an XLSX file and how many it has. Raises ValueError when it cannot be read."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        names = book.sheet_names
        sheets = []
        for name in names[:_MAX_SHEETS]:
            sheet = book.get_sheet_by_name(name)
            width, height = sheet.width, sheet.height
            if width * height > 20_000_000:
                raise ValueError(f"the sheet spans {height} rows and {width} columns")
            sheets.append(_sheet(name, iter(sheet.to_python(nrows=_MAX_ROWS + 1)), height))
        return sheets, len(names)
    except CalamineError as error:
        raise ValueError(str(error)) from None


def csv_sheet(content: bytes) -> Sheet:
    """A CSV file: its separator is what its first line has most of."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    first = text.split("\n", 1)[0]
    separator = max(",;\t|", key=first.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    kept = list(islice(lines, _MAX_ROWS + 1))
    return _sheet("", iter(kept), len(kept) + sum(1 for _ in lines))


def _sheet(name: str, lines: Iterable[list[Any]], height: int) -> Sheet:
    header: list[str] = []
    records = []
    for line in lines:
        if not header:
            header = _unique([str(v).strip() or f"column {i}" for i, v in enumerate(line, 1)])
            continue
        records.append({k: v if isinstance(v, (bool, int, float)) else str(v) for k, v in zip(header, line, strict=False)})
    return Sheet(name, header, records, max(height - 1, 0))


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def _sheet_lines(sheet: Sheet, view: View) -> list[str]:
    title = f'sheet "{cleaned(sheet.name)[0][:60]}": ' if sheet.name else ""
    about = f"{title}{sheet.rows} rows, {len(sheet.header)} columns"
    if not sheet.records:
        return [about + (": " + clipped(cleaned(", ".join(sheet.header))[0], 400) if sheet.header else "")]
    small = replace(view.limits, tokens=min(1_500, view.limits.tokens // 3), characters=min(8_000, view.limits.characters // 4))
    handle = view.keep(Spilled("rows", sheet.records, view.tool.name))
    quiet = replace(
        view, entity=None, fields=tuple(sheet.header[:12]), format="table", limits=small, keep=lambda _spilled: handle
    )
    shown = table(Answer(rows=sheet.records[:PREVIEW_ROWS]), quiet).text.rsplit("\n", 1)[0]
    lines = [f"{about}; the first {min(PREVIEW_ROWS, len(sheet.records))}:", bounded_if_needed(shown, view)]
    if len(sheet.header) > 12:
        lines.append("more columns: " + clipped(cleaned(", ".join(sheet.header[12:]))[0], 400))
    if handle and len(sheet.records) > PREVIEW_ROWS:
        lines.append(f'rows: read_result("{handle}", rows="1-50")')
    if sheet.rows > len(sheet.records):
        lines.append(f"only the first {len(sheet.records)} rows can be read there")
    return lines


def bounded_if_needed(text: str, view: View) -> str:
    """A file's rows are always data of others."""
    return text if view.nonce in text else bounded(text, view.nonce)


def _is_text(content: bytes) -> bool:
    return b"\x00" not in content[:4096] and sum(b < 9 or 13 < b < 32 for b in content[:4096]) == 0
