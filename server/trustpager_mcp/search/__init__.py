"""Finding tools by what a person would say. See docs/search.md for what each part adds."""

from .engine import Hit, Parts, SearchIndex

__all__ = ["Hit", "Parts", "SearchIndex"]
