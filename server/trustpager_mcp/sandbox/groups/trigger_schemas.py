"""Reference data for those who build automations."""

from __future__ import annotations

from ..automation.trigger_types import TRIGGER_TYPES, enriched_variables, schema
from ..engine import Answer, Call, Handler
from ..errors import not_found


def _list(_: Call) -> Answer:
    data = [schema(name) for name in TRIGGER_TYPES]
    return Answer(data, extra={"enriched_variables": enriched_variables(), "total": len(data)})


def _get(call: Call) -> Answer:
    name = call.ids["trigger_type"]
    if name not in TRIGGER_TYPES:
        raise not_found("trigger type", name)
    return Answer({**schema(name), "enriched_variables": enriched_variables()})


HANDLERS: dict[str, Handler] = {"list_trigger_schemas": _list, "get_trigger_schema": _get}
