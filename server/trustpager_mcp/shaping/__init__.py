"""Turning the API's answers into text that an agent can afford and trust.

    payload → envelopes → writes | tables | fields | files → budget → text
                           using columns, records, text, dates, untrusted, tokens

Everything here is a pure function of the answer and a `View`; what is spilled or saved goes through the view's callbacks.
"""

from .errors import shape_error
from .present import present
from .view import Download, Limits, Shaped, Spilled, View

__all__ = ["Download", "Limits", "Shaped", "Spilled", "View", "present", "shape_error"]
