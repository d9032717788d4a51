"""Turning the API's answers into text that an agent can use at once."""

from .results import MAX_CHARACTERS, Shaped, shape, shape_error

__all__ = ["MAX_CHARACTERS", "Shaped", "shape", "shape_error"]
