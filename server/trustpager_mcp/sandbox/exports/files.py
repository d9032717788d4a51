"""A table as a file: XLSX or CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from ..engine import Answer, File

_TYPES = {"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "csv": "text/csv; charset=utf-8"}
_LONGEST_CELL = 32_767
"""Characters in one cell, Excel's limit."""


@dataclass(frozen=True)
class Money:
    """An amount that is shown with two decimals."""

    amount: float

    def __str__(self) -> str:
        return f"{self.amount:.2f}"


def table_file(
    headers: Sequence[str], rows: Iterable[Sequence[Any]], kind: str, name: str, most_rows: int, *, bom: bool = True
) -> Answer:
    """The download, with X-Row-Count and X-Truncated; rows past the limit are left out."""
    kept: list[Sequence[Any]] = []
    truncated = False
    for row in rows:
        if len(kept) == most_rows:
            truncated = True
            break
        kept.append(row)
    content = _xlsx(headers, kept) if kind == "xlsx" else _csv(headers, kept, bom)
    seen = {"x-row-count": str(len(kept)), "x-truncated": "1" if truncated else "0"}
    return Answer(file=File(content, _TYPES[kind], f"{safe_name(name)}.{kind}", seen))


def safe_name(name: str) -> str:
    """A file name that every system and HTTP header takes."""
    return re.sub(r"[^\w.\- ]", "_", name, flags=re.ASCII).strip(" .") or "export"


def _csv(headers: Sequence[str], rows: list[Sequence[Any]], bom: bool) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(headers)
    writer.writerows([_text(v) for v in row] for row in rows)
    return out.getvalue().encode("utf-8-sig" if bom else "utf-8")


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.isoformat() if isinstance(value, date) else value


def _xlsx(headers: Sequence[str], rows: list[Sequence[Any]]) -> bytes:
    from xlsxwriter import Workbook  # type: ignore[import-untyped]  # imported late: 45 ms, and only exports need it

    out = io.BytesIO()
    book = Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "remove_timezone": True})
    sheet = book.add_worksheet("Export")
    bold, money = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0.00"})
    days, moments = book.add_format({"num_format": "yyyy-mm-dd"}), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    for column, header in enumerate(headers):
        sheet.write_string(0, column, header[:_LONGEST_CELL], bold)
    for index, row in enumerate(rows, 1):
        for column, value in enumerate(row):
            match value:
                case None:
                    continue
                case bool():
                    sheet.write_string(index, column, "Yes" if value else "No")
                case int() | float():
                    sheet.write_number(index, column, value)
                case Money():
                    sheet.write_number(index, column, value.amount, money)
                case datetime():
                    sheet.write_datetime(index, column, value, moments)
                case date():
                    sheet.write_datetime(index, column, datetime(value.year, value.month, value.day), days)
                case _:
                    sheet.write_string(index, column, str(value)[:_LONGEST_CELL])
    sheet.freeze_panes(1, 0)
    book.close()
    return out.getvalue()
