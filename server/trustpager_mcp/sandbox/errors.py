"""The API's errors, as the reference's envelope tells them."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An answer with an error status: `{"error": {"code", "message", "details"?, "request_id"}}`."""

    def __init__(self, status: int, code: str, message: str, details: Any = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.details = status, code, message, details
        self.headers = headers or {}


class DoneAnyway(ApiError):
    """An error that comes after the work: what was done until then stays done."""


class WorkspaceFileError(Exception):
    """The file that should keep the workspace cannot be used; the message says why and what to do."""


def invalid(message: str, **details: Any) -> ApiError:
    """400 VALIDATION_ERROR; `field` names the one that is wrong, `fields` holds a reason for each."""
    if "field" in details:
        details["fields"] = {details.pop("field"): message}
    return ApiError(400, "VALIDATION_ERROR", message, details or None)


def not_found(what: str, record_id: str) -> ApiError:
    """404 NOT_FOUND."""
    return ApiError(404, "NOT_FOUND", f"{what} {record_id} does not exist in this workspace")


def forbidden(*missing: str) -> ApiError:
    """403 FORBIDDEN, naming the scopes that are missing."""
    return ApiError(403, "FORBIDDEN", f"the key lacks {', '.join(missing)}", {"missing_scopes": list(missing)})
