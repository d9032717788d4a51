"""Long and marked-up text: HTML becomes Markdown, mail history and signatures fold, base64 never shows, ends are sentences."""

from __future__ import annotations

import dataclasses
import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from html_to_markdown import ConversionOptions

_TAG = re.compile(
    r"<(?:!--|!doctype|/?(?:p|div|br|ul|ol|li|table|tr|td|th|span|a|b|i|em|strong|html|body|head|style|script|h[1-6]|img|font|"
    r"blockquote|pre|code|hr|u|section|article)\b[^<>]*>)",
    re.IGNORECASE,
)
_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.-]+)*;base64,([A-Za-z0-9+/=_-]{24,})")
_BASE64_RUN = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{160,}={0,2}")
_WRAPPED_BASE64 = re.compile(r"^(?:[A-Za-z0-9+/]{60,80}\r?\n){3,}[A-Za-z0-9+/]*={0,2}", re.MULTILINE)
_HISTORY = re.compile(
    r"^(?:>+ ?.*|On .{8,120} wrote:|Am .{8,120} schrieb.{0,80}:|Le .{8,120} a écrit ?:"
    r"|-{2,} ?(?:Original Message|Forwarded message) ?-{2,}|From: .{3,120}\n(?:Sent|Date|To): .*)\s*$",
    re.MULTILINE | re.IGNORECASE,
)
_SIGNATURE = re.compile(r"^(?:-- ?|__+|Sent from my \w.{0,40}|Get Outlook for .{0,20})$", re.MULTILINE)
_SENTENCE_END = re.compile(r"[.!?。！？…][\"')\]]?(?=\s|$)|\n")
_MAX_HTML = 2_000_000
_SHORT_HTML = 4_000
_SHORT = 40
"""Characters; encoded bytes are looked for in texts from this length on."""
_SPEAKER = ("speaker", "role", "speaker_name", "participant", "author", "from")
_WORDS = ("text", "content", "words", "utterance", "message")


def is_plain(value: Any) -> bool:
    """Whether a value needs nothing done to it: a short text of visible ASCII without markup, as most fields of a record are.

    Free of: markup, mail history, encoded bytes, control and invisible characters, forged boundaries, several lines.
    """
    return isinstance(value, str) and len(value) < _SHORT and value.isascii() and value.isprintable() and "<" not in value


def readable(text: str, *, html: bool = False) -> str:
    """The text as a person would read it: no markup, no mail history, no encoded bytes."""
    if (html or "<" in text) and _TAG.search(text):
        text = markdown(text)
    return without_base64(text)


def markdown(html: str) -> str:
    """HTML as Markdown; comments, scripts, styles and hidden parts are gone."""
    return _short_markdown(html) if len(html) <= _SHORT_HTML else _markdown(html)


@lru_cache(maxsize=256)
def _short_markdown(html: str) -> str:
    """Kept, since agents read the same notes again and again, in lists and one by one."""
    return _markdown(html)


def _markdown(html: str) -> str:
    from html_to_markdown import convert

    source, options = html[:_MAX_HTML].encode("utf-8", "replace").decode("utf-8"), _options()
    try:
        text = (convert(source, options).content or "").strip()
    except Exception:
        text = re.sub(r"<!--.*?(?:-->|$)|<[^<>]*>", " ", source, flags=re.DOTALL)
    left = len(html) - _MAX_HTML
    return re.sub(r"\n{3,}", "\n\n", text) + (f"\n({left} more characters of HTML)" if left > 0 else "")


@cache
def _options() -> ConversionOptions:
    """What the library is asked for; made once, with its words looked up, which would cost more than converting a short text."""
    import html_to_markdown

    options = html_to_markdown.ConversionOptions(
        skip_images=True,
        escape_asterisks=False,
        escape_underscores=False,
        escape_misc=False,
        extract_metadata=False,
        autolinks=False,
        bullets="-",
    )
    choices: dict[str, Any] = {}
    for setting in dataclasses.fields(options):
        kind = getattr(html_to_markdown, setting.name.title().replace("_", ""), None)
        if isinstance(kind, type) and isinstance(word := getattr(options, setting.name), str):
            choices[setting.name] = getattr(kind, word.upper())
    return dataclasses.replace(options, **choices)


def without_base64(text: str) -> str:
    """The text with encoded bytes replaced by their size."""
    if len(text) < _SHORT:
        return text
    if "base64," in text:
        text = _DATA_URI.sub(lambda m: f"(base64 {m[1] or 'data'}, {len(m[2]) * 3 // 4} bytes, left out)", text)
    if len(text) < 160:
        return text
    return _BASE64_RUN.sub(_bytes, _WRAPPED_BASE64.sub(_bytes, text))


def _bytes(found: re.Match[str]) -> str:
    """Encoded bytes hold capitals, small letters and digits; a long word or number holds one kind."""
    run = found[0]
    if any(map(str.isupper, run)) and any(map(str.islower, run)) and any(map(str.isdigit, run)):
        return f"(base64, {len(run) * 3 // 4} bytes, left out)"
    return run


def folded(text: str) -> str:
    """A message without quoted history and signature; what was folded is said."""
    history = _HISTORY.search(text)
    start = len(text)
    if history and text[: history.start()].strip():
        start = history.start()
    signature = _SIGNATURE.search(text, 0, start)
    if signature and text[: signature.start()].strip():
        start = signature.start()
    hidden = len(text) - start
    if hidden < 40:
        return text
    return f"{text[:start].rstrip()}\n[{hidden} characters of signature or quoted history folded]"


def clipped(text: str, limit: int) -> str:
    """At most `limit` characters (and a few that tell what is missing), ended at a sentence or a word."""
    if len(text) <= limit:
        return text
    head = text[:limit]
    ends = [m.end() for m in _SENTENCE_END.finditer(head, limit // 2)]
    if ends:
        head = head[: ends[-1]]
    elif (space := head.rfind(" ")) >= limit // 2:
        head = head[:space]
    head = head.rstrip()
    return f"{head}… (+{len(text) - len(head)} characters)"


def turns(value: Any) -> str | None:
    """A transcript of turns as `Speaker: words` lines, neighbours of one speaker joined; None for anything else."""
    if not isinstance(value, list) or not value or not all(isinstance(v, dict) for v in value):
        return None
    lines: list[tuple[str, str]] = []
    for turn in value:
        speaker = next((turn[k] for k in _SPEAKER if isinstance(turn.get(k), str)), None)
        words = next((turn[k] for k in _WORDS if isinstance(turn.get(k), str)), None)
        if speaker is None or words is None:
            return None
        text = " ".join(words.split())
        if lines and lines[-1][0] == speaker:
            lines[-1] = (speaker, f"{lines[-1][1]} {text}")
        else:
            lines.append((speaker, text))
    return "\n".join(f"{speaker}: {words}" for speaker, words in lines)
