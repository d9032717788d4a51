"""What MCP calls a server's context: prompts, resources and completions, each only as far as the credential goes.

Only the handlers are here; what they need is imported when a client first asks, since most never do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import mcp_types as types
from mcp.shared.exceptions import MCPError

from .. import result_resources
from ..profiles import used_toolsets

if TYPE_CHECKING:
    from ..app import App, Session
    from .completions import Completer
    from .resources import Entry

_INVALID_PARAMS = -32602
_INTERNAL_ERROR = -32603
_LISTS_KEPT_MS = 300_000
_PAGES_KEPT_MS = 60_000


def context_handlers(app: App) -> dict[str, Any]:
    """The handlers as keyword arguments of the SDK's Server."""
    completers: WeakKeyDictionary[Session, Completer] = WeakKeyDictionary()

    async def on_list_prompts(_ctx: Any, _params: Any) -> types.ListPromptsResult:
        from .prompts import offered

        session = await app.session()
        prompts = [
            types.Prompt(
                name=p.name,
                title=p.title,
                description=p.description,
                arguments=[
                    types.PromptArgument(name=a.name, description=_argument_text(a.description, a.default), required=a.required)
                    for a in p.arguments
                ],
            )
            for p in offered(session.registry).values()
        ]
        return types.ListPromptsResult(prompts=prompts, ttl_ms=_LISTS_KEPT_MS, cache_scope="private")

    async def on_get_prompt(_ctx: Any, params: Any) -> types.GetPromptResult:
        from .prompts import offered, rendered

        session = await app.session()
        known = offered(session.registry)
        if (prompt := known.get(params.name)) is None:
            raise MCPError(_INVALID_PARAMS, f"there is no prompt {params.name[:80]!r} for this key; there are {', '.join(known)}")
        try:
            text = rendered(prompt, params.arguments or {}, session.registry, with_executors=session.has_meta_tools)
        except ValueError as error:
            raise MCPError(_INVALID_PARAMS, str(error)) from None
        message = types.PromptMessage(role="user", content=types.TextContent(type="text", text=text))
        return types.GetPromptResult(description=prompt.description, messages=[message])

    async def on_list_resources(_ctx: Any, _params: Any) -> types.ListResourcesResult:
        from .resources import resources

        session = await app.session()
        found = [types.Resource(uri=e.address, **_words(e)) for e in resources(session.registry)]
        kept = result_resources.listed(app.presentation.store, app.caller.fingerprint)
        return types.ListResourcesResult(resources=kept + found, ttl_ms=0, cache_scope="private")

    async def on_list_resource_templates(_ctx: Any, _params: Any) -> types.ListResourceTemplatesResult:
        from .resources import templates

        session = await app.session()
        found = [types.ResourceTemplate(uri_template=e.address, **_words(e)) for e in templates(session.registry)]
        return types.ListResourceTemplatesResult(resource_templates=found, ttl_ms=_LISTS_KEPT_MS, cache_scope="private")

    async def on_read_resource(_ctx: Any, params: Any) -> types.ReadResourceResult:
        from ..errors import ToolError
        from .resources import read

        session = await app.session()
        address = str(params.uri)
        try:
            if address.startswith(result_resources.SCHEME):
                await session.dispatcher.fetch_result(address.removeprefix(result_resources.SCHEME))
                return result_resources.contents(app.presentation.store, app.caller.fingerprint, address)
            text, kind = await read(address, session.registry, session.dispatcher)
        except ToolError as error:
            number = _INVALID_PARAMS if error.code == "UNKNOWN_RESOURCE" else _INTERNAL_ERROR
            raise MCPError(number, error.message, {"uri": address, "code": error.code}) from None
        contents = types.TextResourceContents(uri=address, mime_type=kind, text=text)
        return types.ReadResourceResult(contents=[contents], ttl_ms=_PAGES_KEPT_MS, cache_scope="private")

    async def on_completion(_ctx: Any, params: Any) -> types.CompleteResult:
        from .completions import MOST_VALUES, Completer, matching
        from .prompts import all_prompts

        session = await app.session()
        name, begun = params.argument.name, params.argument.value
        beside = (params.context.arguments if params.context else None) or {}
        source: str | None
        if isinstance(params.ref, types.PromptReference):
            prompt = all_prompts().get(params.ref.name)
            source = next((a.completes for a in prompt.arguments if a.name == name), None) if prompt else None
        else:
            source = {"trigger_type": "trigger", "toolset": "toolset"}.get(name)
        if source is None:
            values = []
        elif source == "toolset":
            values = matching(used_toolsets(session.registry), begun)
        else:
            completer = completers.get(session)
            if completer is None:
                completer = completers[session] = Completer(session.dispatcher)
            values = await completer.values(source, begun, beside)
        shown = values[:MOST_VALUES]
        completion = types.Completion(values=shown, total=len(values), has_more=len(values) > len(shown))
        return types.CompleteResult(completion=completion)

    return {
        "on_list_prompts": on_list_prompts,
        "on_get_prompt": on_get_prompt,
        "on_list_resources": on_list_resources,
        "on_list_resource_templates": on_list_resource_templates,
        "on_read_resource": on_read_resource,
        "on_completion": on_completion,
    }


def _argument_text(description: str, default: str) -> str:
    return f"{description} (default: {default})" if default else description


def _words(entry: Entry) -> dict[str, Any]:
    return {"name": entry.name, "title": entry.title, "description": entry.description}
