"""Web-ready WebP copies of a picture. Pillow comes with the extra `sandbox` and is imported when first needed."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

from .errors import ApiError, invalid

WIDTHS = {"mobile": 640, "tablet": 1024, "desktop": 1920}
QUALITIES = {"mobile": 80, "tablet": 85, "desktop": 90}


@dataclass(frozen=True)
class Variant:
    """One copy, its size in pixels."""

    name: str
    content: bytes
    width: int
    height: int
    quality: int


def render(content: bytes, names: list[str], quality: int | None) -> list[Variant]:
    """The named variants, never larger than the picture itself.

    Raises VALIDATION_ERROR for bytes that are no picture, 501 NOT_INSTALLED where Pillow is missing.
    """
    try:
        from PIL import Image
    except ImportError:
        hint = "pictures need Pillow: pip install 'trustpager-mcp[sandbox]'"
        raise ApiError(501, "NOT_INSTALLED", hint) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as opened:
                picture = opened.convert("RGBA" if "A" in opened.getbands() or "transparency" in opened.info else "RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise invalid("the file is no picture that can be read (PNG, JPEG, GIF, WebP)", field="file_id") from None
    variants = []
    for name in names:
        width = min(WIDTHS[name], picture.width)
        height = max(1, round(picture.height * width / picture.width))
        chosen = QUALITIES[name] if quality is None else quality
        buffer = io.BytesIO()
        picture.resize((width, height)).save(buffer, "WEBP", quality=chosen, method=2)
        variants.append(Variant(name, buffer.getvalue(), width, height, chosen))
    return variants
