from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Any
from xml.sax.saxutils import escape

import pytest

from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.shaping import Download, Spilled, View, present

TOOL = default_catalog().tools["list_contacts"]


def zipped(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def xlsx(rows: list[list[Any]], sheet: str = "Contacts") -> bytes:
    """The smallest workbook that is one."""
    space = "http://schemas.openxmlformats.org"
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{escape(str(v))}</t></is></c>' for v in row) + "</row>" for row in rows
    )
    relation = f'<Relationships xmlns="{space}/package/2006/relationships"><Relationship Id="r1" Type="{space}/officeDocument/2006/relationships/'
    return zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{space}/package/2006/content-types"/>',
            "_rels/.rels": relation + 'officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook xmlns="{space}/spreadsheetml/2006/main" xmlns:r="{space}/officeDocument/2006/relationships">'
            f'<sheets><sheet name="{sheet}" sheetId="1" r:id="r1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": relation + 'worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{space}/spreadsheetml/2006/main"><sheetData>{cells}</sheetData></worksheet>',
        }
    )


def png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))


def shown(name: str, content: bytes, kind: str = "application/octet-stream", **more: Any) -> str:
    view = {k: more.pop(k) for k in ("keep", "save") if k in more}
    return present(Download(name, kind, content, **more), View(TOOL, **view)).text


ROWS = [["Name", "Phone"], *[[f"Mia {i}", f"+6140000{i:04d}"] for i in range(40)]]


def test_a_workbook_is_previewed_by_sheet_header_first_rows_and_row_count() -> None:
    kept: list[Spilled] = []
    text = shown("c.xlsx", xlsx(ROWS), keep=lambda s: kept.append(s) or f"r{len(kept)}")
    assert "file: c.xlsx (XLSX," in text
    assert 'sheet "Contacts": 40 rows, 2 columns; the first 5:' in text
    assert "Mia 4,+61400000004" in text
    assert "Mia 5" not in text
    assert "trustpager://results/" in text
    rows = next(k for k in kept if k.kind == "rows")
    assert rows.value[39] == {"Name": "Mia 39", "Phone": "+61400000039"}


def test_a_csv_file_is_previewed_whatever_its_separator_and_encoding() -> None:
    text = shown("c.csv", "Name;City\nZoë;Köln\nLeo;Ulm\n".encode("cp1252"), "text/csv")
    assert "2 rows, 2 columns" in text
    assert "Zoë,Köln" in text


def test_what_an_export_says_of_itself_is_told() -> None:
    text = shown("c.csv", b"a,b\n1,2\n", "text/csv", rows=900, truncated=True)
    assert "900 rows" in text
    assert "does not hold every row" in text


def test_an_archive_is_listed() -> None:
    text = shown("all.zip", zipped({"a/contract.pdf": "x", "b/photo.png": "yy"}), "application/zip")
    assert "ZIP of 2 files" in text
    assert "a/contract.pdf,1" in text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (png(640, 480), "PNG image, 640 x 480 pixels"),
        (b"GIF89a" + struct.pack("<HH", 20, 10) + b"\0" * 20, "GIF image, 20 x 10 pixels"),
        (
            b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08" + struct.pack(">HH", 30, 40) + b"\0" * 20,
            "JPEG image, 40 x 30 pixels",
        ),
        (
            b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + (99).to_bytes(3, "little") + (49).to_bytes(3, "little"),
            "WebP image, 100 x 50 pixels",
        ),
        (b"%PDF-1.7 /Type /Pages /Type /Page /MediaBox [0 0 595 842] /Type/Page ", "PDF, 2 pages, 595 x 842 points"),
    ],
)
def test_images_and_pdfs_are_described_and_never_shown(content: bytes, expected: str) -> None:
    assert expected in shown("x", content)


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04broken", b"\x89PNG\r\n\x1a\n", b"\x00\x01\x02", b"", xlsx(ROWS)[:-60], b"RIFF1234WEBPVP8 "]
)
def test_a_broken_file_is_described_and_nothing_fails(content: bytes) -> None:
    assert f"{len(content):,} bytes" in shown("x.bin", content)


def test_an_archive_bomb_is_not_unpacked() -> None:
    bomb = zipped({"xl/workbook.xml": "x", "xl/worksheets/sheet1.xml": " " * 210 * 1024 * 1024})
    assert "too large to preview" in shown("bomb.xlsx", bomb)


def test_a_file_goes_to_the_downloads_where_the_user_allowed_them() -> None:
    assert "saved: /somewhere/c.csv" in shown("c.csv", b"a\n1\n", "text/csv", save=lambda name, _content: f"/somewhere/{name}")
