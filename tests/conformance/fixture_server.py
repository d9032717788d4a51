"""Our own server over our own HTTP transport, with the fixtures of the conformance suite beside its tools.

    python -m tests.conformance.fixture_server PORT

Everything on the way is the product's: Host and Origin checks, who may call, the stateless transport, the guard around each
request, sessions and lists. Only what a name of the suite's asks for is answered here.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import mcp_types as types
import uvicorn
from mcp.server import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import ListenHandler

from tests.conformance import fixtures
from trustpager_mcp.app import App, build_server
from trustpager_mcp.settings import Settings
from trustpager_mcp.transports.http import HttpOptions, asgi

_KEPT_MS = 60_000


def with_fixtures(server: Server[Any]) -> Server[Any]:
    """The server with the suite's tools, prompts and resources beside its own."""

    def own(method: str) -> Callable[[Any, Any], Awaitable[Any]]:
        entry = server.get_request_handler(method)
        assert entry is not None
        return entry.handler

    list_tools, call_tool, schema_of = own("tools/list"), own("tools/call"), server.get_tool_input_schema
    assert schema_of is not None
    list_prompts, get_prompt = own("prompts/list"), own("prompts/get")
    list_resources, list_templates = own("resources/list"), own("resources/templates/list")
    read_resource = own("resources/read")

    async def on_list_tools(ctx: Any, params: Any) -> types.ListToolsResult:
        listed: types.ListToolsResult = await list_tools(ctx, params)
        tools = [types.Tool(name=n, description=f"{n}, for tests.", input_schema=s) for n, (_, s) in fixtures.TOOLS.items()]
        return listed.model_copy(update={"tools": [*listed.tools, *tools]})

    async def on_call_tool(ctx: Any, params: Any) -> Any:
        known = fixtures.TOOLS.get(params.name)
        return await (known[0] if known else call_tool)(ctx, params)

    async def on_list_prompts(ctx: Any, params: Any) -> types.ListPromptsResult:
        listed: types.ListPromptsResult = await list_prompts(ctx, params)
        prompts = [
            types.Prompt(
                name=name,
                description=f"{name}, for tests.",
                arguments=[types.PromptArgument(name=a, required=True) for a in names],
            )
            for name, names in fixtures.PROMPTS.items()
        ]
        return listed.model_copy(update={"prompts": [*listed.prompts, *prompts]})

    async def on_get_prompt(ctx: Any, params: Any) -> Any:
        return fixtures.prompt(params) if params.name in fixtures.PROMPTS else await get_prompt(ctx, params)

    async def on_list_resources(ctx: Any, params: Any) -> types.ListResourcesResult:
        listed: types.ListResourcesResult = await list_resources(ctx, params)
        found = [
            types.Resource(uri=f"test://{name}", name=name, description=f"{name}, for tests.", mime_type=kind)
            for name, kind in (("static-text", "text/plain"), ("static-binary", "image/png"))
        ]
        return listed.model_copy(update={"resources": [*listed.resources, *found]})

    async def on_list_templates(ctx: Any, params: Any) -> types.ListResourceTemplatesResult:
        listed: types.ListResourceTemplatesResult = await list_templates(ctx, params)
        template = types.ResourceTemplate(uri_template=fixtures.TEMPLATE, name="template", description="For tests.")
        return listed.model_copy(update={"resource_templates": [*listed.resource_templates, template]})

    async def on_read_resource(ctx: Any, params: Any) -> Any:
        if (content := fixtures.resource(str(params.uri))) is None:
            return await read_resource(ctx, params)
        return types.ReadResourceResult(contents=[content], ttl_ms=_KEPT_MS, cache_scope="private")

    async def nothing(_ctx: Any, _params: Any) -> types.EmptyResult:
        return types.EmptyResult()

    def schema(name: str) -> Any:
        return fixtures.TOOLS[name][1] if name in fixtures.TOOLS else schema_of(name)

    server.add_request_handler("tools/list", types.PaginatedRequestParams, on_list_tools)
    server.add_request_handler("tools/call", types.CallToolRequestParams, on_call_tool)
    server.add_request_handler("prompts/list", types.PaginatedRequestParams, on_list_prompts)
    server.add_request_handler("prompts/get", types.GetPromptRequestParams, on_get_prompt)
    server.add_request_handler("resources/list", types.PaginatedRequestParams, on_list_resources)
    server.add_request_handler("resources/templates/list", types.PaginatedRequestParams, on_list_templates)
    server.add_request_handler("resources/read", types.ReadResourceRequestParams, on_read_resource)
    server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, nothing)
    server.add_request_handler("resources/subscribe", types.SubscribeRequestParams, nothing)
    server.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, nothing)
    server.add_request_handler("subscriptions/listen", types.SubscriptionsListenRequestParams, ListenHandler(fixtures.BUS))
    server.get_tool_input_schema = schema
    server.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=server.name))
    return server


def main(port: int) -> None:
    app = App(Settings(sandbox=True))
    application = asgi(app, HttpOptions(port=port), server=with_fixtures(build_server(app)))
    uvicorn.run(application, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]))
