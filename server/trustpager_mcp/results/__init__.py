"""Answers of which an agent saw a part: kept for a while, for the credential that got them, and read on by handle."""

from .downloads import Downloads
from .presentation import Presentation
from .reading import ReadRequest, read
from .shelf import RedisShelf
from .store import ResultStore, StoredResult

__all__ = ["Downloads", "Presentation", "ReadRequest", "RedisShelf", "ResultStore", "StoredResult", "read"]
