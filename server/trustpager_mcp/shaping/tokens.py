"""How many tokens a text will cost an agent, without a vocabulary: within a tenth of o200k_base on what the API answers.

The text is cut about where a byte-pair tokenizer cuts it (words with the character before them, up to three digits, runs
of punctuation and of blanks); what a piece costs follows from its length, its vowels and its script. The figures were
fitted; tests/unit/test_tokens.py holds them against the real vocabulary.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from itertools import pairwise

_LOWER = "a-z\u00df-\u024f\u1ea0-\u1eff"
_PIECE = re.compile(
    rf"[^\r\n\w]?(?:[A-Z]*[{_LOWER}]+|[A-Z]+)(?:'[a-z]{{1,2}}\b)?|[0-9]{{1,3}}| ?[!-/:-@\[-`{{-~]+[\r\n]*"
    r"|\s+(?![^\x00-\x7f])| ?[^\x00-\x7f]+|\s|."
)
_LONG_WORD = 24
_RARE = "jkqvwxz"
_SCRIPTS = (
    # first code point, tokens a character: how well the vocabulary knows the script
    (0x0000, 0.5), (0x0180, 1.6), (0x0370, 0.45), (0x0400, 0.23), (0x0590, 0.35), (0x0600, 0.3), (0x0700, 0.6), (0x0900, 0.28),
    (0x0E00, 0.38), (0x0E80, 0.8), (0x1E00, 0.5), (0x2000, 1.1), (0x3000, 0.55), (0x3400, 0.66), (0xA000, 1.3), (0xAC00, 0.55),
    (0xD7B0, 1.6), (0x10000, 4.1), (0x1F000, 1.7), (0x20000, 2.5), (0x30000, 3.8),
)  # fmt: skip
_COMMON_PAIRS = frozenset(
    "ab ac ad ag ai al am an ap ar as at au ay ba be bl bo bu by ca ce ch ci ck cl co cr ct cu da de di do ds du ea "
    "ec ed ee ef eg el em en ep eq er es et ev ew ex ey ez fa ff fi fo fr fu ge gh gr gs ha he hi ho ht ia ic id ie "
    "if ig il im in io ip ir is it iv iz ja je ke ki la ld le li ll lo ls lt lu ly ma mb me mi mo mp na nc nd ne ng "
    "ni no ns nt nu ny oc od of oi ol om on oo op or os ot ou ov ow pa pe pi pl po pp pr ps pt qu ra rc rd re ri rl "
    "rm rn ro rr rs rt ru ry sa sc se sh si so sp ss st su ta tc te th ti to tp tr ts tt tu ty ub ue ui ul um un up "
    "ur us ut uu va ve vi vo wh wi yo yp".split()
)
_JSON = frozenset('[]{}":,')
_COMMON_JSON = frozenset(('"},{"',))
_FIRST = [first for first, _ in _SCRIPTS]


def estimate(text: str) -> int:
    """About how many o200k_base tokens `text` is."""
    return round(sum(map(_cost, _PIECE.findall(text))))


def at_most(text: str, limit: int) -> bool:
    """Whether `text` is within `limit` tokens. Free for short texts: no token is shorter than a byte."""
    if len(text) <= limit and (text.isascii() or len(text.encode("utf-8", "replace")) <= limit):
        return True
    return estimate(text) <= limit


@lru_cache(maxsize=16_384)
def _cost(piece: str) -> float:
    bare = piece.strip()
    if not bare:
        return 1.0 + len(piece) / 60
    if bare.isdigit() and bare.isascii():
        return 1.0
    letters = sum(map(str.isalpha, bare))
    if letters == 0:
        return _signs(bare) if bare.isascii() else sum(map(_foreign, bare))
    if not any("A" <= c <= "z" for c in bare):
        return 0.2 + sum(map(_foreign, bare))
    return _word(bare, letters) + (0.6 if piece[0] in ",|.@" else 0.0 if piece[0].isspace() or piece[0].isalpha() else 0.06)


def _word(word: str, letters: int) -> float:
    if letters > _LONG_WORD:
        return letters / 8.0 if len(set(word)) < 5 else letters / 2.0
    foreign = 0.0 if word.isascii() else sum(map(_accented, word))
    if foreign > 0.5 * letters:
        return max(1.0, 2.2 * foreign)
    vowels = sum(c in "aeiouyAEIOUYäöüéèêàáóíúôâăươ" for c in word)
    capitals = sum(map(str.isupper, word))
    unlikely = letters >= 4 and vowels < letters * 0.17 and foreign == 0
    if letters == 3 and vowels == 0 and any(c in _RARE for c in word):
        return 2.4
    if letters > 3:
        small = word.lower()
        strange = sum(a + b not in _COMMON_PAIRS for a, b in pairwise(small) if a.isascii() and b.isascii())
        unlikely = unlikely or strange > 0.6 * (len(small) - 1)
    if unlikely or (capitals > 1 and letters > 3):
        return max(1.0, letters / 1.8)
    rare = 0.12 if capitals else 0.04
    return 1.0 + foreign + max(0, letters - 5) * rare


def _accented(character: str) -> float:
    code = ord(character)
    if code < 0x80:
        return 0.0
    return 0.22 if code < 0x100 or code >= 0x1EA0 else 0.6 if code < 0x180 else 1.5


def _signs(signs: str) -> float:
    """Punctuation; that of JSON is better known than its length tells, and quotes doubled in CSV are not."""
    if len(signs) > 3 and _JSON.issuperset(signs):
        plain = signs.replace('""', '"')
        return (1.0 if len(plain) <= 4 or plain in _COMMON_JSON else len(plain) / 3.0) + 0.8 * (len(signs) - len(plain))
    return 1.0 + (len(signs) - 1) * (0.12 if len(set(signs)) == 1 else 0.08 if len(signs) <= 4 else 0.64)


def _foreign(character: str) -> float:
    return 1.0 if character.isascii() else _SCRIPTS[bisect_right(_FIRST, ord(character)) - 1][1]
