"""The tools, prompts and resources that the official conformance suite calls by name. They exist in tests only.

A tool is a coroutine of the SDK's context and the request's parameters; what it is called, and what it takes, stands in
`TOOLS`. The suite's own pages tell what each has to answer.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import mcp_types as types
from mcp.server.subscriptions import InMemorySubscriptionBus, PromptsListChanged, ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata

Answer = types.CallToolResult | types.InputRequiredResult
Handler = Callable[[Any, Any], Awaitable[Answer]]

BUS = InMemorySubscriptionBus()
_STEP = 0.02
"""Seconds between what a tool tells on its way."""


def _png() -> bytes:
    """One red pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _wav() -> bytes:
    """Eight samples of silence."""
    sound = bytes(16)
    form = struct.pack("<HHIIHH", 1, 1, 8_000, 16_000, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(sound)) + sound
    return b"RIFF" + struct.pack("<I", len(body)) + body


PNG = base64.b64encode(_png()).decode()
WAV = base64.b64encode(_wav()).decode()


def text(words: str, *, is_error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=words)], is_error=is_error)


def embedded(uri: str, words: str, kind: str = "text/plain") -> types.EmbeddedResource:
    return types.EmbeddedResource(resource=types.TextResourceContents(uri=uri, mime_type=kind, text=words))


# Content


async def simple_text(_ctx: Any, _params: Any) -> Answer:
    return text("This is a simple text response for testing.")


async def image_content(_ctx: Any, _params: Any) -> Answer:
    return types.CallToolResult(content=[types.ImageContent(data=PNG, mime_type="image/png")])


async def audio_content(_ctx: Any, _params: Any) -> Answer:
    return types.CallToolResult(content=[types.AudioContent(data=WAV, mime_type="audio/wav")])


async def embedded_resource(_ctx: Any, _params: Any) -> Answer:
    return types.CallToolResult(content=[embedded("test://embedded-resource", "This is an embedded resource content.")])


async def multiple_content_types(_ctx: Any, _params: Any) -> Answer:
    data = embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json")
    image = types.ImageContent(data=PNG, mime_type="image/png")
    return types.CallToolResult(content=[types.TextContent(text="Multiple content types test:"), image, data])


async def error_handling(_ctx: Any, _params: Any) -> Answer:
    return text("This tool intentionally returns an error for testing", is_error=True)


async def echo(_ctx: Any, params: Any) -> Answer:
    return text(str(params.arguments))


# What is told on the way


async def tool_with_logging(ctx: Any, _params: Any) -> Answer:
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        log = types.LoggingMessageNotification(params=types.LoggingMessageNotificationParams(level="info", data=words))
        await ctx.session.send_notification(log, related_request_id=ctx.request_id)
        await anyio.sleep(_STEP)
    return text("Three lines were logged.")


async def logging_tool(_ctx: Any, _params: Any) -> Answer:
    return text("Nothing is logged for a request that did not ask for it.")


async def tool_with_progress(ctx: Any, _params: Any) -> Answer:
    for done in (0, 50, 100):
        await ctx.session.report_progress(done, 100)
        await anyio.sleep(_STEP)
    return text("Progress was reported.")


async def reconnection(_ctx: Any, _params: Any) -> Answer:
    return text("The answer comes on the request's own stream: there is no other one to come back to.")


async def trigger_tool_change(_ctx: Any, _params: Any) -> Answer:
    await BUS.publish(ToolsListChanged())
    return text("Told.")


async def trigger_prompt_change(_ctx: Any, _params: Any) -> Answer:
    await BUS.publish(PromptsListChanged())
    return text("Told.")


# Questions to the client, by requests of the server's own (up to 2025-11-25)


def _schema(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


async def _elicited(ctx: Any, message: str, schema: dict[str, Any]) -> Answer:
    answer = await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)
    return text(f"Elicitation completed: action={answer.action}, content={answer.content}")


async def elicitation(ctx: Any, params: Any) -> Answer:
    person = _schema(username={"type": "string"}, email={"type": "string"})
    return await _elicited(ctx, (params.arguments or {}).get("message", "Who are you?"), person)


async def elicitation_defaults(ctx: Any, _params: Any) -> Answer:
    schema = _schema(
        name={"type": "string", "default": "John Doe"},
        age={"type": "integer", "default": 30},
        score={"type": "number", "default": 95.5},
        status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        verified={"type": "boolean", "default": True},
    )
    return await _elicited(ctx, "Please complete this.", schema)


async def elicitation_enums(ctx: Any, _params: Any) -> Answer:
    plain, legacy = ["option1", "option2", "option3"], ["opt1", "opt2", "opt3"]
    titled = [{"const": f"value{n}", "title": f"Option {n}"} for n in (1, 2, 3)]
    schema = _schema(
        untitledSingle={"type": "string", "enum": plain},
        titledSingle={"type": "string", "oneOf": titled},
        legacyEnum={"type": "string", "enum": legacy, "enumNames": ["Option One", "Option Two", "Option Three"]},
        untitledMulti={"type": "array", "items": {"type": "string", "enum": plain}},
        titledMulti={"type": "array", "items": {"anyOf": titled}},
    )
    return await _elicited(ctx, "Please choose.", schema)


async def sampling(ctx: Any, params: Any) -> Answer:
    request = _sampling((params.arguments or {}).get("prompt", ""), 100)
    within = ServerMessageMetadata(related_request_id=ctx.request_id)
    answer = await ctx.session.send_request(request, types.CreateMessageResult, metadata=within)
    return text(f"LLM response: {answer.content.text}")


# Questions to the client, by a result that makes it call again (from 2026-07-28)


def _form(message: str, **properties: dict[str, Any]) -> types.ElicitRequest:
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=_schema(**properties)))


def _sampling(prompt: str, most: int) -> types.CreateMessageRequest:
    message = types.SamplingMessage(role="user", content=types.TextContent(text=prompt))
    return types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=[message], max_tokens=most))


NAME = _form("What is your name?", name={"type": "string"})
QUESTIONS: dict[str, dict[str, Any]] = {
    "elicitation": {"user_name": NAME},
    "sampling": {"capital_question": _sampling("What is the capital of France?", 100)},
    "list_roots": {"client_roots": types.ListRootsRequest()},
    "request_state": {"confirm": _form("Please confirm", ok={"type": "boolean"})},
    "tampered_state": {"confirm": _form("Please confirm", ok={"type": "boolean"})},
    "multiple_inputs": {
        "user_name": NAME,
        "greeting": _sampling("Generate a greeting", 50),
        "client_roots": types.ListRootsRequest(),
    },
}
STATES = {"request_state": "asked", "tampered_state": "asked", "multiple_inputs": "asked"}


def asking(name: str) -> Handler:
    """A tool that asks until every one of its questions has an answer."""

    async def ask(_ctx: Any, params: Any) -> Answer:
        given = params.input_responses or {}
        if not QUESTIONS[name].keys() <= given.keys():
            return types.InputRequiredResult(input_requests=QUESTIONS[name], request_state=STATES.get(name))
        if params.request_state != STATES.get(name):
            raise MCPError(-32602, "the state is not the one that went with the question")
        return text(f"state-ok: {sorted(given)}: {given}")

    return ask


async def multi_round(_ctx: Any, params: Any) -> Answer:
    given = params.input_responses or {}
    if params.request_state == "second" and "step2" in given:
        return text("Both steps are answered.")
    if params.request_state == "first" and "step1" in given:
        step = {"step2": _form("Step 2: What is your favorite color?", color={"type": "string"})}
        return types.InputRequiredResult(input_requests=step, request_state="second")
    step = {"step1": _form("Step 1: What is your name?", name={"type": "string"})}
    return types.InputRequiredResult(input_requests=step, request_state="first")


async def capabilities(ctx: Any, _params: Any) -> Answer:
    declared = ctx.session.client_capabilities
    questions: dict[str, Any] = {}
    if declared and declared.elicitation:
        questions |= QUESTIONS["elicitation"]
    if declared and declared.sampling:
        questions |= QUESTIONS["sampling"]
    return types.InputRequiredResult(input_requests=questions) if questions else text("Nothing can be asked.")


async def missing_capability(ctx: Any, _params: Any) -> Answer:
    declared = ctx.session.client_capabilities
    if not (declared and declared.sampling):
        missing = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "this tool needs a client that can sample", missing)
    return text("The client can sample.")


STRICT: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
_NOTHING: dict[str, Any] = {"type": "object", "properties": {}}
_IN_A_HEADER = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}, "required": ["region"]}

TOOLS: dict[str, tuple[Handler, dict[str, Any]]] = {
    "test_simple_text": (simple_text, _NOTHING),
    "test_image_content": (image_content, _NOTHING),
    "test_audio_content": (audio_content, _NOTHING),
    "test_embedded_resource": (embedded_resource, _NOTHING),
    "test_multiple_content_types": (multiple_content_types, _NOTHING),
    "test_error_handling": (error_handling, _NOTHING),
    "test_tool_with_logging": (tool_with_logging, _NOTHING),
    "test_logging_tool": (logging_tool, _NOTHING),
    "test_tool_with_progress": (tool_with_progress, _NOTHING),
    "test_reconnection": (reconnection, _NOTHING),
    "test_trigger_tool_change": (trigger_tool_change, _NOTHING),
    "test_trigger_prompt_change": (trigger_prompt_change, _NOTHING),
    "test_elicitation": (elicitation, _schema(message={"type": "string"})),
    "test_elicitation_sep1034_defaults": (elicitation_defaults, _NOTHING),
    "test_elicitation_sep1330_enums": (elicitation_enums, _NOTHING),
    "test_sampling": (sampling, _schema(prompt={"type": "string"})),
    "test_streaming_elicitation": (asking("elicitation"), _NOTHING),
    "test_missing_capability": (missing_capability, _NOTHING),
    "test_x_mcp_header": (echo, _IN_A_HEADER),
    "json_schema_2020_12_tool": (echo, STRICT),
    "test_input_required_result_multi_round": (multi_round, _NOTHING),
    "test_input_required_result_capabilities": (capabilities, _NOTHING),
    **{f"test_input_required_result_{name}": (asking(name), _NOTHING) for name in QUESTIONS},
}


# Prompts and resources


def _prompt(*content: Any) -> types.GetPromptResult:
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=part) for part in content])


def prompt(params: Any) -> types.GetPromptResult | types.InputRequiredResult:
    """The answer to prompts/get for one of `PROMPTS`."""
    given = params.arguments or {}
    match params.name:
        case "test_simple_prompt":
            return _prompt(types.TextContent(text="This is a simple prompt for testing."))
        case "test_prompt_with_arguments":
            words = f"Prompt with arguments: arg1='{given['arg1']}', arg2='{given['arg2']}'"
            return _prompt(types.TextContent(text=words))
        case "test_prompt_with_embedded_resource":
            about = embedded(given["resourceUri"], "Embedded resource content for testing.")
            return _prompt(about, types.TextContent(text="Please process the embedded resource above."))
        case "test_prompt_with_image":
            image = types.ImageContent(data=PNG, mime_type="image/png")
            return _prompt(image, types.TextContent(text="Please analyze the image above."))
    if "user_context" not in (params.input_responses or {}):
        question = _form("What context should the prompt use?", context={"type": "string"})
        return types.InputRequiredResult(input_requests={"user_context": question})
    return _prompt(types.TextContent(text=f"Context: {params.input_responses['user_context']}"))


PROMPTS: dict[str, tuple[str, ...]] = {
    "test_simple_prompt": (),
    "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",),
    "test_prompt_with_image": (),
    "test_input_required_result_prompt": (),
}
TEMPLATE = "test://template/{id}/data"


def resource(uri: str) -> types.TextResourceContents | types.BlobResourceContents | None:
    """One of the suite's resources; None when the address is another's."""
    if uri == "test://static-text":
        words = "This is the content of the static text resource."
        return types.TextResourceContents(uri=uri, mime_type="text/plain", text=words)
    if uri == "test://static-binary":
        return types.BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)
    before, _, after = TEMPLATE.partition("{id}")
    if uri.startswith(before) and uri.endswith(after):
        number = uri.removeprefix(before).removesuffix(after)
        words = f'{{"id":"{number}","templateTest":true,"data":"Data for ID: {number}"}}'
        return types.TextResourceContents(uri=uri, mime_type="application/json", text=words)
    return None
