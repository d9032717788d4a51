"""Files for practice: pictures of a roof and short PDFs, small, and the same for the same chance."""

from __future__ import annotations

import random
import struct
import zlib

from .pdf import Block, render

_SKY, _ROOF, _PANEL = 0, 8, 12


def png(rng: random.Random, width: int = 1600, height: int = 1200) -> bytes:
    """A house roof with solar panels below the sky, in sixteen colours."""
    hue = rng.randint(0, 60)
    sky = [(110 + hue + i * 8, 160 + i * 8, 235) for i in range(8)]
    tiles = [(140 + i * 10 + hue, 70 + i * 8, 50) for i in range(4)]
    panels = [(20 + i * 10, 30 + i * 12, 70 + i * 20) for i in range(4)]
    palette = b"".join(bytes(min(c, 255) for c in color) for color in (*sky, *tiles, *panels))
    horizon, left = height * rng.randint(35, 50) // 100, width * rng.randint(10, 40) // 100
    rows = [_row(y, width, height, horizon, left) for y in range(height)]
    header = struct.pack(">IIBBBBB", width, height, 4, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(b"".join(rows), 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def _row(y: int, width: int, height: int, horizon: int, left: int) -> bytes:
    """One row, two pixels in a byte, behind its filter byte."""
    if y < horizon:
        colour = _SKY + y * 8 // horizon
        return b"\0" + bytes([colour * 17]) * (width // 2)
    tile = _ROOF + y // 24 % 4
    panel = _PANEL + y // 60 % 4 if horizon + 80 < y < height - 120 and y % 60 > 4 else tile
    before, inside = left // 2, width // 4
    return (
        b"\0" + bytes([tile * 17]) * before + bytes([panel * 17]) * inside + bytes([tile * 17]) * (width // 2 - before - inside)
    )


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def pdf(title: str, *paragraphs: str) -> bytes:
    """A page with a title and some text."""
    return render([Block(title, "title"), *(Block(text) for text in paragraphs)])[0]
