"""read_result: pages, filters, searches and long texts of a kept answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..definitions import Tool
from ..errors import ArgumentsError
from ..shaping.budget import fits
from ..shaping.envelopes import Answer
from ..shaping.fields import record
from ..shaping.present import enforced
from ..shaping.records import exact, pick
from ..shaping.tables import table
from ..shaping.text import readable, turns, without_base64
from ..shaping.untrusted import bounded, cleaned
from ..shaping.view import Shaped, View
from .filters import conditions, contains, matches, places
from .presentation import Presentation
from .store import StoredResult

_PAGE = 16_000
_AROUND = 160
_MAX_FOUND = 40
_READER = Tool(
    name="read_result",
    title="Read result",
    operation="GET /results",
    description="Read on in a kept result.",
    intents=("show the rest", "read on", "the whole text"),
    scopes=(),
    effect="read",
    idempotent=True,
    parameters=(),
)


@dataclass(frozen=True)
class ReadRequest:
    """What to show of a kept result. `rows`: places like `26-50`. `text_of`: a field, or `field:2` for its second page."""

    handle: str
    rows: str | None = None
    fields: tuple[str, ...] = ()
    filter: Any = None
    search: str | None = None
    text_of: str | None = None


def read(presentation: Presentation, owner: str, request: ReadRequest) -> Shaped:
    """The asked part as text. Raises UnknownResultError, and ArgumentsError for what the result does not have."""
    stored = presentation.store.get(owner, request.handle)
    view = replace(
        presentation.view(_READER, stored.entity, owner, fields=request.fields),
        keep=lambda _spilled: stored.handle,
    )
    shaped = _part(stored, request, view)
    return replace(shaped, text=enforced(shaped.text, view.limits))


def _part(stored: StoredResult, request: ReadRequest, view: View) -> Shaped:
    match stored.kind:
        case "file":
            text = f"{stored.name}: {stored.media_type}, {len(stored.content):,} bytes; its bytes are the resource {uri(stored)}."
            return Shaped(text, {"resource": uri(stored)})
        case "text":
            return _text(stored.value, request.rows, request.search, view, "rows")
        case "record":
            return _record(stored.value, request, view)
    return _rows(stored.value, request, view)


def uri(stored: StoredResult) -> str:
    return f"trustpager://results/{stored.handle}"


def _rows(rows: list[Any], request: ReadRequest, view: View) -> Shaped:
    wanted = conditions(request.filter)
    chosen = [r for r in rows if matches(r, wanted)] if wanted else rows
    if request.search:
        chosen = [r for r in chosen if contains(r, request.search)]
    narrowed = len(chosen) != len(rows)
    if not chosen:
        return Shaped(f"None of the {len(rows)} rows fits.", [])
    first, last = places(request.rows, len(chosen)) if request.rows else (1, len(chosen))
    part = chosen[first - 1 : last]
    if request.text_of or (len(part) == 1 and isinstance(part[0], dict) and not request.fields):
        return _record(part[0], replace(request, search=None), view)
    shaped = table(Answer(rows=part, total=len(chosen)), view, part, position=first - 1)
    note = f"\n{len(chosen)} of {len(rows)} rows fit; give filter and search again with rows." if narrowed else ""
    return replace(shaped, text=shaped.text + note)


def _record(whole: Any, request: ReadRequest, view: View) -> Shaped:
    if request.text_of:
        name, _, page = request.text_of.rpartition(":") if _has_page(request.text_of) else (request.text_of, "", "1")
        value = pick(whole, name)
        if value is None:
            there = ", ".join(whole) if isinstance(whole, dict) else "no fields"
            raise ArgumentsError(f"text_of is {request.text_of[:60]!r}; the record has {cleaned(there)[0][:400]}.")
        text = turns(value) or (value if isinstance(value, str) else exact(value))
        if not view.everything:
            text = readable(text, html=bool(view.entity and name in view.entity.html))
        return _text(without_base64(text), page, request.search, view, f"{name}:")
    if request.search and isinstance(whole, dict):
        return _found(exact(whole), request.search, view)
    return record(Answer(record=whole), replace(view, detail="full"), whole)


def _has_page(text_of: str) -> bool:
    return text_of.rpartition(":")[2].isdigit() and ":" in text_of


def _text(text: str, page: str | None, search: str | None, view: View, how: str) -> Shaped:
    """One page of a text, with how to get the next."""
    clean, _ = cleaned(text)
    if search:
        return _found(clean, search, view)
    pages = list(_pages(clean, view, until=int(page) if page and page.isdigit() else 1))
    number = int(page) if page and page.isdigit() else 1
    if not 1 <= number <= len(pages):
        raise ArgumentsError(f"there is no page {page} of this text; it has {len(pages)} pages.")
    start, end = pages[number - 1]
    more = f'text_of="{how}{number + 1}"' if how.endswith(":") else f'rows="{number + 1}"'
    tail = f"characters {start + 1}-{end} of {len(clean)}" + (f"; next: {more}" if end < len(clean) else "; the end")
    return Shaped(f"{bounded(clean[start:end], view.nonce)}\n{tail}", clean[start:end])


def _pages(text: str, view: View, until: int) -> Any:
    """The places of the first pages, each ended at a line or a sentence and within the limits."""
    start = 0
    for _ in range(until):
        end = min(start + min(_PAGE, view.limits.fitted_characters // 2), len(text))
        while end - start > 200 and not fits(text[start:end] + " " * 300, view.limits):
            end = start + (end - start) * 2 // 3
        if end < len(text):
            cuts = (text.rfind(mark, start + (end - start) // 2, end) for mark in ("\n", ". ", " "))
            end = next((c + 1 for c in cuts if c > 0), end)
        yield start, end
        if end >= len(text):
            return
        start = end


def _found(text: str, search: str, view: View) -> Shaped:
    """The places of a text that hold the words, with what stands around them."""
    clean, _ = cleaned(text)
    lower, wanted = clean.lower(), search.lower()
    found: list[str] = []
    place = lower.find(wanted)
    total = lower.count(wanted)
    while place >= 0 and len(found) < _MAX_FOUND:
        end = min(len(clean), place + len(wanted) + _AROUND)
        found.append("… " + " ".join(clean[max(0, place - _AROUND) : end].split()) + " …")
        place = lower.find(wanted, end)
    if not found:
        return Shaped(f"{search[:80]!r} does not occur in it ({len(clean)} characters).", [])
    while len(found) > 1 and not fits("\n".join(found), view.limits):
        found = found[: len(found) * 2 // 3]
    return Shaped(f"{bounded(chr(10).join(found), view.nonce)}\n{total} times, {len(found)} places shown", found)
