"""Rich text of notes: markdown in, HTML kept, and edits by heading."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from .errors import invalid
from .store import Record

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_HEADING = re.compile(r"<h([1-6])\b[^>]*>(.*?)</h\1>", re.IGNORECASE | re.DOTALL)


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt  # imported late: only notes need it

    return MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])


def to_html(text: str) -> str:
    """Markdown or plain text as HTML; tags in it are text."""
    rendered: str = _markdown().render(text)
    return rendered.strip()


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it, up to the next heading of its rank or a higher one."""

    heading: str
    start: int
    body: int
    end: int


def sections(content: str) -> list[Section]:
    """Every section of a document, nested ones too."""
    found = list(_HEADING.finditer(content))
    result = []
    for index, match in enumerate(found):
        following = (m.start() for m in found[index + 1 :] if int(m[1]) <= int(match[1]))
        title = " ".join(html.unescape(re.sub(r"<[^>]+>", "", match[2])).split())
        result.append(Section(title, match.start(), match.end(), next(following, len(content))))
    return result


def patched(content: str, patches: list[Record]) -> str:
    """The document after all patches, each on what the former left. Raises VALIDATION_ERROR for an unknown heading."""
    for index, patch in enumerate(patches):
        content = _patched(content, patch, f"patches.{index}")
    return content


def _patched(content: str, patch: Record, where: str) -> str:
    wanted = " ".join(patch["match_heading"].lstrip("#").split()).lower()
    known = sections(content)
    section = next((s for s in known if s.heading.lower() == wanted), None)
    if section is None:
        names = ", ".join(s.heading for s in known) or "none"
        message = f"{where}.match_heading: the note has no heading {patch['match_heading']}; its headings are: {names}"
        raise invalid(message, field=f"{where}.match_heading")
    new = to_html(patch["new_content"])
    before, own, after = content[: section.start], content[section.body : section.end], content[section.end :]
    heading = content[section.start : section.body]
    match patch.get("mode", "replace"):
        case "replace_including_heading":
            middle = [new]
        case "append_to_section":
            middle = [heading, own, new]
        case _:
            middle = [heading, new]
    return join(before, *middle, after)


def join(*parts: str) -> str:
    """Parts of a document, one below the other."""
    return "\n".join(part.strip() for part in parts if part.strip())
