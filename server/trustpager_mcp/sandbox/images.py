"""Pictures that the sandbox paints instead of a model: a gradient in colours taken from the prompt, with its words on it.

They are real files of the asked size and format. Pillow comes with the extra `sandbox` and is imported when first needed.
"""

from __future__ import annotations

import colorsys
import hashlib
import io
import textwrap
from typing import TYPE_CHECKING

from .errors import ApiError

if TYPE_CHECKING:
    from PIL import Image

MEDIA_TYPES = {"PNG": "image/png", "WEBP": "image/webp", "JPEG": "image/jpeg"}
_MOST_PIXELS = 8192


def _pillow() -> None:
    """Raise 501 NOT_INSTALLED where Pillow is missing."""
    try:
        import PIL  # noqa: F401
    except ImportError:
        hint = "pictures need Pillow: pip install 'trustpager-mcp[sandbox]'"
        raise ApiError(501, "NOT_INSTALLED", hint) from None


def seed_of(prompt: str) -> int:
    """The seed that stands for a prompt when none is given."""
    return int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:4], "big")


def paint(prompt: str, width: int, height: int, seed: int, output_format: str) -> bytes:
    """A picture: the same for the same arguments."""
    _pillow()
    from PIL import Image, ImageDraw, ImageFont, ImageOps

    hue = hashlib.sha256(f"{seed}/{prompt}".encode()).digest()[0] / 255
    dark, light = (
        tuple(round(c * 255) for c in colorsys.hsv_to_rgb((hue + turn) % 1, 0.6, value))
        for turn, value in ((0, 0.3), (0.08, 0.95))
    )
    picture = ImageOps.colorize(Image.linear_gradient("L").resize((width, height)), dark, light)
    text = "\n".join([*textwrap.wrap(prompt[:240], 36), "", "practice workspace, no model"])
    font = ImageFont.load_default(size=max(16, width // 32))
    ImageDraw.Draw(picture).multiline_text((width // 16, height // 10), text, fill=(255, 255, 255), font=font)
    return encode(picture, output_format)


def enlarge(content: bytes | None, factor: int, output_format: str, prompt: str) -> tuple[bytes, int, int]:
    """A picture `factor` times as wide and high; where the source is not the sandbox's own, one painted for it.

    Raises VALIDATION_ERROR when that is more than 8192 pixels either way.
    """
    _pillow()
    from PIL import Image

    if content is None:
        size = 1024 * factor
        return paint(prompt, size, size, seed_of(prompt), output_format), size, size
    with Image.open(io.BytesIO(content)) as source:
        width, height = source.width * factor, source.height * factor
        if max(width, height) > _MOST_PIXELS:
            raise ApiError(
                400, "VALIDATION_ERROR", f"the result would be {width}x{height}; the most is {_MOST_PIXELS} either way"
            )
        return encode(source.convert("RGB").resize((width, height)), output_format), width, height


def encode(picture: Image.Image, output_format: str) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    options = {"PNG": {"compress_level": 1}, "WEBP": {"quality": 80, "method": 0}, "JPEG": {"quality": 85}}[output_format]
    picture.save(buffer, output_format, **options)
    return buffer.getvalue()
