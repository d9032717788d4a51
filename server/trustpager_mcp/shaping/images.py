"""Type and dimensions of images and PDFs, read from their first bytes."""

from __future__ import annotations

import re
import struct

_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_BOX = re.compile(rb"/MediaBox\s*\[\s*(-?[\d.]+)\s+(-?[\d.]+)\s+(-?[\d.]+)\s+(-?[\d.]+)\s*\]")
_SVG_SIZE = re.compile(rb"<svg[^>]{0,2000}?viewBox=[\"']\s*[-\d.]+[ ,]+[-\d.]+[ ,]+([\d.]+)[ ,]+([\d.]+)")


def dimensions(content: bytes) -> str | None:
    """`PNG image, 640 x 480 pixels`, or None when it is no image."""
    head = content[:32]
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        return _size("PNG", *struct.unpack(">II", head[16:24]))
    if head[:6] in (b"GIF87a", b"GIF89a") and len(head) >= 10:
        return _size("GIF", *struct.unpack("<HH", head[6:10]))
    if head[:3] == b"\xff\xd8\xff":
        size = _jpeg(content)
        return _size("JPEG", *size) if size else "JPEG image"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        size = _webp(content[:40])
        return _size("WebP", *size) if size else "WebP image"
    if head[:2] == b"BM" and len(head) >= 26:
        return _size("BMP", *struct.unpack("<ii", head[18:26]))
    if b"<svg" in content[:2000]:
        box = _SVG_SIZE.search(content[:5000])
        return f"SVG image, {box[1].decode()} x {box[2].decode()}" if box else "SVG image"
    return None


def pdf_pages(content: bytes) -> str:
    """`PDF, 3 pages, 595 x 842 points` as far as the file tells without being unpacked."""
    parts = ["PDF"]
    if pages := len(_PAGE.findall(content)):
        parts.append(f"{pages} page{'s' if pages != 1 else ''}")
    if box := _BOX.search(content):
        try:
            left, bottom, right, top = map(float, box.groups())
            parts.append(f"{right - left:g} x {top - bottom:g} points")
        except ValueError:
            pass
    return ", ".join(parts)


def _size(kind: str, width: int, height: int) -> str:
    return f"{kind} image, {width} x {abs(height)} pixels"


def _jpeg(content: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 < len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[place + 5 : place + 9])
            return width, height
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8X" and len(head) >= 30:
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8 " and len(head) >= 30:
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and len(head) >= 25:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None
