"""Plain text as a PDF: headings and paragraphs on A4 pages.

The sandbox renders contracts and answered forms, and its practice files are made when it starts; a PDF library would cost
half a second of imports and three packages for that.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

_WIDTH, _HEIGHT, _MARGIN = 595, 842, 56
_SIZE = {"title": 20, "heading": 13, "text": 10}
_FONT = {"title": "F2", "heading": "F2", "text": "F1"}
_LEADING = 1.45
# Helvetica's letters are half as wide as the type is high, on average; bold ones a little wider.
_LETTER = {"title": 0.56, "heading": 0.56, "text": 0.5}


@dataclass(frozen=True)
class Block:
    """A piece of text of one style: title, heading or text. `page_break` starts a new page before it."""

    text: str
    style: str = "text"
    page_break: bool = False


def render(blocks: Iterable[Block]) -> tuple[bytes, int]:
    """The file and the number of its pages."""
    pages = _pages(blocks)
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    for name in ("Helvetica", "Helvetica-Bold"):
        objects.append(f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>".encode())
    kids = []
    for content in pages:
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_WIDTH} {_HEIGHT}] /Contents {len(objects)} 0 R "
            "/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>".encode()
        )
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    return _file(objects), len(pages)


def _pages(blocks: Iterable[Block]) -> list[bytes]:
    pages: list[list[str]] = [[]]
    top = float(_HEIGHT - _MARGIN)
    for block in blocks:
        size = _SIZE[block.style]
        if block.page_break and pages[-1]:
            pages.append([])
            top = float(_HEIGHT - _MARGIN)
        letters = int((_WIDTH - 2 * _MARGIN) / (size * _LETTER[block.style]))
        lines = [line for part in block.text.split("\n") for line in textwrap.wrap(part, letters) or [""]]
        for line in lines:
            top -= size * _LEADING
            if top < _MARGIN:
                pages.append([])
                top = _HEIGHT - _MARGIN - size * _LEADING
            pages[-1].append(f"BT /{_FONT[block.style]} {size} Tf {_MARGIN} {top:.1f} Td ({_escaped(line)}) Tj ET")
        top -= size * 0.6
    return ["\n".join(page).encode("cp1252") for page in pages]


def _escaped(line: str) -> str:
    """Text of a PDF string: what the font's alphabet lacks loses its accents or becomes a question mark."""
    known = []
    for letter in line:
        plain = letter
        if not _encodable(letter):
            plain = unicodedata.normalize("NFKD", letter)[0]
        known.append(plain if _encodable(plain) and plain.isprintable() else "?")
    return "".join(known).replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _encodable(letter: str) -> bool:
    try:
        return bool(letter.encode("cp1252"))
    except UnicodeEncodeError:
        return False


def _file(objects: list[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)
