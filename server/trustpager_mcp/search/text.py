"""From a sentence to word stems: one way for what tools say and for what is asked."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Protocol

# Words that carry no wish; they still count inside a phrase of the lexicon ("get rid of").
STOP = frozenset(
    "a an and any are as at be been but by can could did do does for from had has have he her here him his how i if "
    "in into is it its just let me my of on or our out please she should so some that the their them then there "
    "these they thing this those to up us was we were what when where which who whose will with would you your want "
    "need get got give help ca via am being im id ive well also really about using use given based within never "
    "anyone anybody someone somebody something anything came come comes coming going go goes went gone back keep "
    "kept even ever still yet already else only bit lot like one ones thanks hey hi ok quick quickly actually maybe "
    "right over through during while after before two three bloody mate specific particular certain existing "
    "associated related identifier uuid ids itself".split()
)
_CONTRACTIONS = (
    (re.compile(r"\bcan'?t\b|\bcannot\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(do|does|did|is|are|was|were|has|have|should|would|could)nt\b"), r"\1 not"),
    (re.compile(r"\b(we|i|they|you)'?ve\b"), r"\1 have"),
    (re.compile(r"\b(what|who|where|how|when|that|there|it)'?s\b"), r"\1 is"),
    (re.compile(r"'(?:s|re|ve|ll|d|m)\b"), ""),
)
_CONTRACTED = re.compile(r"'|\bcan(?:not|t)\b|nt\b|ve\b|\b(?:what|who|where|how|when|that|there|it)s\b")
"""Any of these: most texts hold none, and are spared the rest."""
_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LONGEST_QUERY = 600
_ASIDES = frozenset("before after because since without while until".split())
_ASIDE_PAIRS = {"so": frozenset("that i we you he she it they the".split()), "in": frozenset(("order",))}
_A_WISH = 2


class _Stemmer(Protocol):
    def stemWord(self, word: str) -> str: ...


@lru_cache(maxsize=1)
def _stemmer() -> _Stemmer:
    import snowballstemmer

    stemmer: _Stemmer = snowballstemmer.stemmer("english")
    return stemmer


@lru_cache(maxsize=16_384)
def stem(word: str) -> str:
    """The word without its ending; British spellings become American first, so that both meet."""
    if len(word) < 3 or not word.isascii():
        return word
    return _stemmer().stemWord(_american(word))


def _american(word: str) -> str:
    if word not in _TRUE_ISE:
        word = _ISE.sub("iz", word)
    if word not in _TRUE_OUR:
        word = _OUR.sub("or", word)
    for british, american in _BRITISH:
        word = word.replace(british, american)
    return word


_ISE = re.compile(r"(?<=\w{3})is(?=e$|ed$|es$|er$|ing$|ation|ations$)")
_OUR = re.compile(r"(?<=\w{2})our(?=s?$|ed$|ing$|ite)")
_BRITISH = (("catalogue", "catalog"), ("cancell", "cancel"), ("labell", "label"), ("enroll", "enrol"), ("licence", "license"))
_TRUE_ISE = frozenset(
    "raise raised raises raising promise promised promises noise exercise exercises advise advised rise rises otherwise "
    "enterprise precise wise premises premise expertise franchise supervise supervised surprise".split()
)
_TRUE_OUR = frozenset("hour hours your four tour tours pour sour".split())


def words(text: str) -> list[str]:
    """Lower-case words in order, without accents, punctuation and contractions; camelCase and snake_case are taken apart."""
    return list(_words(text[:_LONGEST_QUERY]))


# Definitions say the same of many parameters; most of what is remembered here is read again while the index is made.
@lru_cache(maxsize=4_096)
def _words(text: str) -> tuple[str, ...]:
    text = _CAMEL.sub(" ", text) if len(text.split()) <= 3 else text
    if text.isascii():
        text = text.lower()
    else:
        text = unicodedata.normalize("NFKD", text).replace("’", "'").lower()
        text = "".join(c for c in text if not unicodedata.combining(c))
    if _CONTRACTED.search(text):
        for pattern, plain in _CONTRACTIONS:
            text = pattern.sub(plain, text)
    return tuple(_WORD.findall(text))


def aside(text: list[str]) -> int:
    """Where a request goes on to say why, when or with what in mind: "find the product's id before adding it to the quote".

    The place of that clause's first word, or the length of the text. What stands before it has a wish of its own.
    """
    for place, (word, following) in enumerate(zip(text, [*text[1:], ""], strict=False)):
        begins = word in _ASIDES or following in _ASIDE_PAIRS.get(word, ()) or (word == "for" and following.endswith("ing"))
        if begins and sum(w not in STOP and len(w) > 1 for w in text[:place]) >= _A_WISH:
            return place
    return len(text)


def content(text: list[str]) -> list[str]:
    """The words that carry a wish; all of them when none does."""
    return [w for w in text if w not in STOP and (len(w) > 1 or w.isdigit())] or text
