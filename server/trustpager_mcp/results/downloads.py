"""Files into the directory that the user allowed: names made harmless, nothing overwritten, nothing outside."""

from __future__ import annotations

import os
import re
from itertools import count
from pathlib import Path

from ..errors import ConfigurationError, ToolError

_MAX_NAME = 120
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)


class Downloads:
    """One directory that files may be saved to. Raises ConfigurationError when it is no writable directory."""

    def __init__(self, directory: str) -> None:
        path = Path(directory).expanduser()
        if not path.is_dir() or not os.access(path, os.W_OK):
            raise ConfigurationError(f"--downloads {directory!r} is no directory that can be written to; make it first")
        self._directory = path.resolve()

    def save(self, name: str, content: bytes) -> str:
        """Write a new file and give its path. Raises ToolError when the disk refuses."""
        stem, suffix = os.path.splitext(safe_name(name))
        for number in count(1):
            path = self._directory / (f"{stem}{suffix}" if number == 1 else f"{stem} ({number}){suffix}")
            try:
                # Exclusive creation follows no link and never replaces a file.
                with path.open("xb") as file:
                    file.write(content)
            except FileExistsError:
                continue
            except OSError as error:
                raise ToolError(
                    f"the file {path.name!r} could not be saved: {error.strerror}.",
                    code="NOT_SAVED",
                    hint="Tell the user to check the directory of --downloads.",
                ) from None
            return str(path)
        raise AssertionError("the numbers never end")


def safe_name(name: str) -> str:
    """A file name without folders, control characters and names that a system reserves."""
    last = re.split(r"[/\\]", name)[-1]
    clean = " ".join(_UNSAFE.sub("_", last).split()).strip(". ")
    if not clean or _RESERVED.match(clean):
        clean = f"file {clean}".strip()
    stem, suffix = os.path.splitext(clean)
    suffix = suffix[:16]
    return stem.encode()[: _MAX_NAME - len(suffix.encode())].decode("utf-8", "ignore") + suffix
