"""The tools that a wrongly spelled name may mean: typos, camelCase, spaces, prefixes of clients, other words of the trade."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

# Words that other CRMs and this API's older paths use, in this catalogue's words; all in the singular.
_OWN_WORDS = {
    "deal": "opportunity", "lead": "opportunity", "customer": "company", "account": "company", "organisation": "company",
    "organization": "company", "people": "contact", "person": "contact", "client": "contact", "todo": "task", "note": "activity",
    "meeting": "booking", "appointment": "booking", "text": "sms", "job": "work_order", "quote": "document",
    "user": "company_user",
    "add": "create", "new": "create", "insert": "create", "make": "create", "remove": "delete", "destroy": "delete",
    "edit": "update", "modify": "update", "change": "update", "patch": "update", "fetch": "get", "read": "get", "retrieve": "get",
    "show": "get", "find": "search", "query": "search", "all": "everything",
}  # fmt: skip
_PREFIX = re.compile(r"^(mcp_+)?(trustpager(_mcp)?_+)?")
_WORTH_SAYING = 0.45


def snake_case(name: str) -> str:
    """`ListContacts`, `list contacts`, `mcp__trustpager__list-contacts` → `list_contacts`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:200])
    return _PREFIX.sub("", re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_"))


def nearest_names(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names that `name` most likely means, best first; none when nothing resembles it."""
    spelled = snake_case(name)
    own = _in_own_words(spelled)
    scored = sorted((-max(_likeness(spelled, k), _likeness(own, k)), k) for k in known)
    return [k for _, k in scored[:count]] if scored and -scored[0][0] >= _WORTH_SAYING else []


def _in_own_words(name: str) -> str:
    return "_".join(_OWN_WORDS.get(_singular(w), w) for w in name.split("_"))


def _likeness(name: str, known: str) -> float:
    """0 to 1: half of it letters in order, half of it words in common whatever their order and number."""
    said, meant = ({_singular(w) for w in n.split("_")} for n in (name, known))
    return (difflib.SequenceMatcher(None, name, known).ratio() + len(said & meant) / len(said | meant)) / 2


def _singular(word: str) -> str:
    return word[:-3] + "y" if word.endswith("ies") else word.removesuffix("s") if not word.endswith("ss") else word
