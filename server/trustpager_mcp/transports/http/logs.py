"""The server's own log on standard error: lines for people, or a JSON object a line. Secrets are hidden in both."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Literal

from starlette.requests import ClientDisconnect

from ...redaction import one_line, without_secrets

LogFormat = Literal["text", "json"]
LOG_FORMATS: tuple[LogFormat, ...] = ("text", "json")
_MOST_CHARACTERS = 4_000


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return str(without_secrets(super().format(record)))


class _Json(logging.Formatter):
    """`time` (UTC), `level`, `logger`, `message`, and for an exception its type and where it came from."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        entry = {
            "time": moment,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": one_line(str(without_secrets(record.getMessage())), _MOST_CHARACTERS),
        }
        if record.exc_info and record.exc_info[0]:
            entry["exception"] = record.exc_info[0].__name__
            entry["traceback"] = str(without_secrets(self.formatException(record.exc_info)))[-_MOST_CHARACTERS:]
        return json.dumps(entry, ensure_ascii=False)


def _is_no_departure(record: logging.LogRecord) -> bool:
    """A caller who leaves in the middle of a request is no fault of the server, and could fill its log."""
    return not (record.exc_info and record.exc_info[0] and issubclass(record.exc_info[0], ClientDisconnect))


def set_up_logs(format: LogFormat) -> None:
    """Send warnings and worse of every library to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if format == "json" else _Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(_is_no_departure)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
