"""Everything this package raises on purpose.

    TrustPagerError
    ├── DefinitionError        a file under tools/ or schemas/ breaks the format
    ├── ConfigurationError     an unknown scope, toolset, tool or setting; raised at start, never later
    └── ToolError              what an agent reads; becomes a tool result with isError
        ├── UnknownToolError       no such tool, or none that this credential may see
        ├── NotAllowedError        the tool exists, the policy refuses it (missing scope, read-only, wrong executor)
        ├── ArgumentsError         arguments that do not fit the schema
        ├── UpstreamError          the API answered with an error
        └── UnreachableError       the API did not answer (refused, timed out, broken)

A `ToolError` carries what happened, why, and what to do next, since its reader is a model that will act on it.
"""

from __future__ import annotations

from typing import Any


class TrustPagerError(Exception):
    """Base of all errors of this package."""


class DefinitionError(TrustPagerError):
    """A tool definition or shared schema breaks the format."""


class ConfigurationError(TrustPagerError):
    """The configuration names something that does not exist, or contradicts itself."""


class ToolError(TrustPagerError):
    """An error whose reader is the agent.

    `code` is stable and machine-readable; `message` says what happened and what is allowed; `hint` what to do next;
    `details` holds the API's own structured details, if any. `uncertain`: a change was sent and may have been made.
    """

    code = "TOOL_ERROR"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        details: Any = None,
        status: int | None = None,
        request_id: str | None = None,
        uncertain: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.hint = hint
        self.details = details
        self.status = status
        self.request_id = request_id
        self.uncertain = uncertain


class UnknownToolError(ToolError):
    """No tool of that name."""

    code = "UNKNOWN_TOOL"


class NotAllowedError(ToolError):
    """The policy of this server or the scopes of this credential refuse the call."""

    code = "NOT_ALLOWED"


class ArgumentsError(ToolError):
    """The arguments do not fit the tool's schema; nothing was sent."""

    code = "INVALID_ARGUMENTS"


class UpstreamError(ToolError):
    """The API answered with an error status."""

    code = "UPSTREAM_ERROR"


class UnreachableError(ToolError):
    """No usable answer came from the API. `sent`: the request left, so the API may have acted on it."""

    code = "UNREACHABLE"

    def __init__(self, message: str, *, sent: bool = False, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, code=code, hint=hint)
        self.sent = sent


def nothing_happened(error: ToolError) -> bool:
    """Whether the API certainly did nothing: the call was not sent, or the API refused it."""
    if error.uncertain:
        return False
    if isinstance(error, UnreachableError):
        return not error.sent
    if isinstance(error, UpstreamError):
        return error.status is not None and 300 <= error.status < 500 and error.status != 408
    return True
