"""call_read, call_write, call_irreversible: run any tool by name, each only the tools of its class."""

from __future__ import annotations

import json
from typing import Any

from ..call_options import OPTION_NAMES
from ..callers import Caller
from ..definitions import Effect
from ..dispatcher import EXECUTORS, Dispatcher, Result
from ..errors import ArgumentsError
from .arguments import text

EFFECT_OF: dict[str, Effect] = {name: effect for effect, name in EXECUTORS.items()}


async def execute(dispatcher: Dispatcher, executor: str, arguments: dict[str, Any], caller: Caller) -> Result:
    """Run the named tool. Arguments may stand under `args` or beside `tool`; options beside `tool` win."""
    name = text(executor, arguments, "tool")
    beside = {k: v for k, v in arguments.items() if k not in ("tool", "args")}
    options = {k: v for k, v in beside.items() if k in OPTION_NAMES}
    args = arguments.get("args")
    if isinstance(args, str):
        try:
            args = json.loads(args)
        except (ValueError, RecursionError):
            raise ArgumentsError(f"{executor}: args is not valid JSON; give an object.") from None
    if args is not None and not isinstance(args, dict):
        raise ArgumentsError(f"{executor}: args must be an object of the tool's arguments.")
    if args is None:
        return await dispatcher.call(name, beside, caller=caller, effect=EFFECT_OF[executor])
    flat = {k: v for k, v in beside.items() if k not in options}
    return await dispatcher.call(name, {**flat, **args}, options=options, caller=caller, effect=EFFECT_OF[executor])
