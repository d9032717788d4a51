"""Finding tools by what a person would say. See docs/search.md for what each part adds."""

from .engine import Hit, Parts, SearchIndex, prepare
from .misses import NOTHING, Misses

__all__ = ["NOTHING", "Hit", "Misses", "Parts", "SearchIndex", "prepare"]
