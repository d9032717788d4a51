"""The transport's side of a call: who waits for its answer, and what can be said to them meanwhile."""

from __future__ import annotations


class Caller:
    """A caller that hears nothing until the result. Transports subclass it with what their client can do."""

    async def progress(self, message: str) -> None:
        """Tell the waiting client that the call is alive and what it does."""


SILENT = Caller()
