"""How calls behave together and over time: repeats, cancellation, limits, waiting, streams, files, uploads, hostile input."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import zipfile
from contextlib import suppress
from typing import Any

import pytest

from tests.faulty_upstream import ID, FaultyUpstream, app_on
from tests.http_processes import free_port
from trustpager_mcp.app import App
from trustpager_mcp.callers import Caller
from trustpager_mcp.credentials import Credential
from trustpager_mcp.dispatcher import Result

ANN = {"first_name": "Ann"}
SIZES = pytest.mark.only(
    "stdio", because="over HTTP a request has at most 4 MB; in this process aiohttp's warning about large bodies is an error"
)


@pytest.fixture(scope="module")
def port() -> int:
    """Where the upstream of the tests with `serve` listens, one after the other: so their servers are the same."""
    return free_port()


def to(upstream: FaultyUpstream) -> tuple[str, ...]:
    return ("--base-url", upstream.base, "--scopes", "all", "--api-key", "tp_live_x")


class Listener(Caller):
    def __init__(self) -> None:
        self.heard: list[str] = []

    async def progress(self, message: str) -> None:
        self.heard.append(message)


async def call(app: App, name: str, arguments: dict[str, Any], key: str | None = None, **options: Any) -> Result:
    session = await app.session(Credential(key) if key else None)
    caller = options.pop("caller", Caller())
    return await session.dispatcher.call(name, arguments, options=options, caller=caller)


async def cancelled(task: asyncio.Task[Result]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


# Repeats


async def test_the_same_write_asked_for_while_it_is_under_way_joins_it_and_says_so() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream, seconds=5) as app:
        upstream.fail("held")
        first = asyncio.create_task(call(app, "create_contact", ANN))
        await upstream.received(1)
        second = asyncio.create_task(call(app, "create_contact", ANN))
        other = await call(app, "create_contact", {"first_name": "Bob"})
        stranger = await call(app, "create_contact", ANN, key="tp_live_other")
        upstream.release()
        one, two = await first, await second
        assert [r.is_error for r in (one, two, other, stranger)] == [False] * 4
        assert one.data == two.data
        assert "nothing was sent twice" in two.text
        assert "nothing was sent twice" not in one.text + other.text + stranger.text
        assert len(upstream.requests) == 3


async def test_the_same_write_after_its_answer_was_taken_is_another_write() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        for _ in range(2):
            assert not (await call(app, "create_contact", ANN)).is_error
        assert list(upstream.effects.values()) == [2]


async def test_an_uncertain_write_is_not_sent_again_until_the_agent_says_so() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        upstream.fail("reset", acts=True)
        assert (await call(app, "create_contact", ANN)).uncertain
        again = await call(app, "create_contact", ANN)
        assert (again.code, again.uncertain) == ("STILL_UNCERTAIN", True)
        assert "list_contacts" in again.text
        assert "again=true" in again.text
        assert len(upstream.requests) == 1
        assert not (await call(app, "create_contact", ANN, again=True)).is_error
        assert len(upstream.requests) == 2


async def test_an_uncertain_write_with_an_idempotency_key_is_settled_by_its_repeat() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        fire = ("fire_auto_schedule", {"auto_schedule_id": ID})
        upstream.fail(*["reset"] * 4, acts=True)
        assert (await call(app, *fire)).uncertain
        assert not (await call(app, *fire)).is_error
        assert len({r.headers["idempotency-key"] for r in upstream.requests}) == 1
        assert list(upstream.effects.values()) == [1]


async def test_the_agents_own_idempotency_key_is_used_and_refused_where_the_api_has_none() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        await call(app, "fire_auto_schedule", {"auto_schedule_id": ID}, idempotency_key="mine-1")
        assert upstream.requests[0].headers["idempotency-key"] == "mine-1"
        refused = await call(app, "create_contact", ANN, idempotency_key="mine-1")
        assert "takes no idempotency_key" in refused.text
        assert len(upstream.requests) == 1


# Cancellation


async def test_cancelling_a_read_closes_its_connection_and_frees_its_slot() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream, seconds=20) as app:
        upstream.fail("hang")
        task = asyncio.create_task(call(app, "get_contact", {"contact_id": ID}))
        await upstream.received(1)
        await cancelled(task)
        await upstream.settled()
        assert app.sender.limits._free == 96
        assert not (await call(app, "get_contact", {"contact_id": ID})).is_error


async def test_a_cancelled_write_is_told_to_whoever_repeats_it() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream, seconds=20) as app:
        upstream.fail("hang", acts=True)
        task = asyncio.create_task(call(app, "create_contact", ANN))
        await upstream.received(1)
        await cancelled(task)
        await upstream.settled()
        again = await call(app, "create_contact", ANN)
        assert "was cancelled while the API worked on it" in again.text
        assert "check with list_contacts()" in again.text
        assert len(upstream.requests) == 1


async def test_a_write_that_another_caller_joined_survives_the_first_callers_cancellation() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream, seconds=20) as app:
        upstream.fail("held")
        first = asyncio.create_task(call(app, "create_contact", ANN))
        await upstream.received(1)
        second = asyncio.create_task(call(app, "create_contact", ANN))
        await asyncio.sleep(0)
        await cancelled(first)
        upstream.release()
        assert not (await second).is_error
        assert list(upstream.effects.values()) == [1]


async def test_the_same_write_asked_for_twice_at_once_is_sent_once_whichever_server_is_asked(serve: Any, port: int) -> None:
    async with FaultyUpstream(port=port) as upstream, serve(*to(upstream)) as agent:
        upstream.fail("held")
        before = len(upstream.requests)
        first = asyncio.create_task(agent.text("call_write", tool="create_contact", args=ANN))
        await upstream.received(before + 1)
        repeats = [asyncio.create_task(agent.text("call_write", tool="create_contact", args=ANN)) for _ in range(3)]
        # An answered call of somebody else's: those before it are under way by then.
        await agent.text("call_write", tool="create_contact", args={"first_name": "Bob"})
        upstream.release()
        texts = [await first, *await asyncio.gather(*repeats)]
        assert ["nothing was sent twice" in text for text in texts] == [False, True, True, True]
        assert list(upstream.effects.values()) == [1, 1]
        assert "nothing was sent twice" not in await agent.text("call_write", tool="create_contact", args=ANN)
        assert sorted(upstream.effects.values()) == [1, 2]


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_a_client_that_gives_up_cancels_down_to_the_socket(serve: Any, port: int, era: str) -> None:
    # A name for each era: they share servers, which remember a write that is in doubt.
    person = {"first_name": f"Ann {era}"}
    async with FaultyUpstream(port=port) as upstream, serve(*to(upstream), mode=era) as agent:
        upstream.fail("hang", acts=True)
        before = len(upstream.requests)
        task = asyncio.create_task(agent.raw("call_write", tool="create_contact", args=person))
        await upstream.received(before + 1)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await upstream.settled()
        assert "STILL_UNCERTAIN" in await agent.failure("call_write", tool="create_contact", args=person)


# Limits


async def test_parallel_calls_keep_to_their_credentials_share() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream, seconds=20) as app:
        upstream.fail(*["held"] * 32)
        greedy = [asyncio.create_task(call(app, "get_contact", {"contact_id": ID}, key="greedy")) for _ in range(50)]
        await upstream.received(32)
        assert not (await call(app, "get_contact", {"contact_id": ID}, key="modest")).is_error
        assert len(upstream.requests) == 33
        upstream.release()
        assert not any(r.is_error for r in await asyncio.gather(*greedy))
        assert len(upstream.requests) == 51


async def test_a_call_that_gets_no_turn_in_its_time_says_so_and_was_not_sent() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream, seconds=10) as app:
        upstream.fail(*["held"] * 32)
        others = [asyncio.create_task(call(app, "get_contact", {"contact_id": ID})) for _ in range(32)]
        await upstream.received(32)
        app.upstream.timeout = 0.05
        result = await call(app, "create_contact", ANN)
        assert (result.code, result.uncertain) == ("BUSY", False)
        upstream.release()
        assert not any(r.is_error for r in await asyncio.gather(*others))
        assert len(upstream.requests) == 32


async def test_a_429_ends_the_storm_of_parallel_calls() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream, seconds=20) as app:
        upstream.fail(*["too_many"] * 20, retry_after="0.1")
        results = await asyncio.gather(*(call(app, "get_contact", {"contact_id": ID}) for _ in range(20)))
        assert not any(r.is_error for r in results)
        assert len(upstream.requests) == 40


async def test_a_used_up_rate_window_is_waited_for() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream, seconds=5) as app:
        body = b'{"data": {"id": "1"}}'
        upstream.answers.append((200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "0.2"}, body))
        loop = asyncio.get_running_loop()
        await call(app, "get_contact", {"contact_id": ID})
        started = loop.time()
        await call(app, "get_contact", {"contact_id": ID})
        assert loop.time() - started >= 0.15


# Waiting and progress


async def test_wait_seconds_polls_until_the_operation_has_ended() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        for status in ("running", "running", "running", "completed"):
            upstream.answers.append((200, {}, json.dumps({"data": {"id": ID, "status": status}}).encode()))
        listener = Listener()
        result = await call(app, "start_lead_search", {"query": "cafes", "location": "Perth"}, wait_seconds=30, caller=listener)
        assert "completed" in result.text
        assert [r.path.rsplit("/", 2)[-2:] for r in upstream.requests[1:]] == [["searches", ID]] * 3
        assert any("status is running" in m for m in listener.heard)


async def test_an_operation_that_failed_in_the_end_is_an_error() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        for status in ("running", "failed"):
            upstream.answers.append((200, {}, json.dumps({"data": {"id": ID, "status": status}}).encode()))
        assert (
            await call(app, "start_lead_search", {"query": "cafes", "location": "Perth"}, wait_seconds=30)
        ).code == "OPERATION_FAILED"


async def test_waiting_ends_in_time_and_says_where_to_look_again() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        for _ in range(50):
            upstream.answers.append((200, {}, json.dumps({"data": {"id": ID, "status": "running"}}).encode()))
        result = await call(app, "start_lead_search", {"query": "cafes", "location": "Perth"}, wait_seconds=0.02)
        assert f"look again with lead_gen_get_search(lead_search_id={ID})" in result.text
        refused = await call(app, "create_contact", ANN, wait_seconds=5)
        assert "leave wait_seconds out" in refused.text


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_retry_is_told_to_the_waiting_client_of_either_era(serve: Any, port: int, mode: str) -> None:
    async with FaultyUpstream(port=port) as upstream, serve(*to(upstream), mode=mode) as agent:
        upstream.fail("unavailable")
        heard: list[str | None] = []

        async def on_progress(_progress: float, _total: float | None, message: str | None) -> None:
            heard.append(message)

        arguments = {"tool": "get_contact", "args": {"contact_id": ID}}
        result = await agent.client.call_tool("call_read", arguments, progress_callback=on_progress)
        assert not result.is_error
        assert [m for m in heard if m and "answer 503; attempt 2" in m]


# Kinds of answer


async def test_evies_stream_is_told_as_it_comes_and_given_whole() -> None:
    frames = [
        ("thread", {"thread_id": ID}),
        ("text_delta", {"text": "You have " + "x" * 300}),
        ("tool_call", {"name": "list_opportunities", "input": {"status": "open"}}),
        ("tool_result", {"name": "list_opportunities", "ok": True}),
        ("text_delta", {"text": " twelve open deals."}),
        ("done", {"usage": 7}),
    ]
    body = "".join(f"event: {e}\r\ndata: {json.dumps(d)}\r\n\r\n" for e, d in frames).encode()
    async with FaultyUpstream() as upstream, app_on(upstream, oauth_token="tp_oauth_x") as app:
        upstream.answers.append((200, {"content-type": "text/event-stream"}, body))
        listener = Listener()
        result = await call(app, "chat_with_evie", {"message": "How many?"}, caller=listener)
        assert result.data["data"]["text"].endswith("twelve open deals.")
        assert [e["event"] for e in result.data["data"]["tool_events"]] == ["tool_call", "tool_result"]
        assert result.data["data"]["thread_id"] == ID
        assert any("You have" in m for m in listener.heard)
        assert "calls list_opportunities" in listener.heard
        assert "twelve open deals." in result.text
        sent = upstream.requests[0]
        assert (sent.path, sent.headers["authorization"]) == ("/functions/v1/agent-chat", "Bearer tp_oauth_x")
        upstream.answers.append(
            (200, {"content-type": "text/event-stream"}, b'event: error\ndata: {"message": "model down"}\n\n')
        )
        failed = await call(app, "chat_with_evie", {"message": "Again?"})
        assert "model down" in failed.text
        assert failed.uncertain


async def test_tools_whose_token_is_missing_are_hidden_and_say_what_is_missing() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream, portal_token="portal") as app:
        assert not (await call(app, "create_evie_token", {"company_id": ID})).is_error
        assert upstream.requests[0].headers["authorization"] == "Bearer portal"
        visible = (await app.session()).registry.visible
        assert "create_evie_token" in visible
        assert "chat_with_evie" not in visible
        refused = await call(app, "chat_with_evie", {"message": "Hi"})
        assert "Evie token" in refused.text
        assert "Call create_evie_token first. The operator can set TRUSTPAGER_OAUTH_TOKEN." in refused.text


async def test_an_upload_is_a_form_with_its_file_apart_and_without_the_key() -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(40))
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        arguments = {"file": base64.b64encode(png).decode(), "context": "form-avatar", "fingerprint": "f1"}
        assert not (await call(app, "upload_public_image", arguments)).is_error
        sent = upstream.requests[0]
        assert sent.path == "/functions/v1/public-image-upload"
        assert "authorization" not in sent.headers
        assert sent.headers["content-type"].startswith("multipart/form-data; boundary=")
        assert png in sent.body
        assert b'name="file"; filename="upload.png"' in sent.body
        assert b'name="context"\r\n\r\nform-avatar' in sent.body
        path = await call(app, "upload_public_image", {**arguments, "file": "/etc/passwd"})
        assert "A path or address is not read" in path.text
        assert len(upstream.requests) == 1


async def test_a_file_is_named_sized_and_counted_whatever_the_tool_expected() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.txt", "x")
    headers = {
        "content-type": "application/zip",
        "content-disposition": "attachment; filename*=UTF-8''..%2F..%2Fetc%2Fcontacts.zip",
        "x-row-count": "12",
        "x-truncated": "1",
    }
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        for name, arguments in (("export_crm_data", None), ("get_contact", {"contact_id": ID})):
            upstream.answers.append((200, headers, packed.getvalue()))
            from trustpager_mcp.validation import example

            result = await call(app, name, arguments or example(app.catalog.tools[name]))
            assert not result.is_error, result.text
            told = result.data["data"]
            assert told.pop("resource").startswith("trustpager://results/")
            assert told == {
                "file": "contacts.zip",
                "content_type": "application/zip",
                "bytes": len(packed.getvalue()),
                "rows": 12,
                "truncated": True,
            }


async def test_a_voice_answer_that_begins_with_its_failure_phrase_is_an_error() -> None:
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        text = {"content-type": "text/plain"}
        upstream.answers.append((200, text, b"BOOKING CANCELLATION FAILED: no booking found."))
        upstream.answers.append((200, text, b"Your booking is cancelled."))
        failed = await call(app, "cancel_voice_booking", {"phone": "+61412345678"})
        assert (failed.is_error, failed.code) == (True, "NOT_DONE")
        done = await call(app, "cancel_voice_booking", {"phone": "+61412345678"})
        assert (done.is_error, done.text) == (False, "Your booking is cancelled.")


# Hostile input


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_contact", {"contact_id": "../../admin"}),
        ("get_contact", {"contact_id": "https://elsewhere.example/x"}),
        ("get_contact", {"contact_id": f"{ID}\r\nX-Injected: 1"}),
        ("get_contact", {"contact_id": f"{ID}?expand=all"}),
        ("list_contacts", {"limit": 10**400}),
        ("list_contacts", {"limit": float("inf")}),
        ("list_contacts", {"search": "a\0b"}),
        ("list_contacts", {"search": "\ud800"}),
        ("list_contacts", {"search": "x" * 100_000}),
        ("create_contact", {"first_name": "Ann", "metadata": {"a": "\ud800"}}),
        ("create_contact", {"first_name": "Ann", "metadata": {"a": ["\0"]}}),
        ("create_contact", {"first_name": "Ann", "metadata": {"a": float("nan")}}),
        ("create_contact", {"first_name": "Ann", "notes": "x" * 9_000_000}),
    ],
)
async def test_hostile_arguments_are_refused_before_anything_is_sent(name: str, arguments: dict[str, Any]) -> None:
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        result = await call(app, name, arguments)
        assert result.is_error
        assert result.code == "INVALID_ARGUMENTS"
        assert len(result.text) < 2_000
        assert upstream.requests == []


async def test_arguments_nested_a_thousand_deep_are_refused() -> None:
    nested: Any = "x"
    for _ in range(1_000):
        nested = {"a": nested}
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        assert "levels deep" in (await call(app, "create_contact", {"first_name": "Ann", "metadata": nested})).text
        assert upstream.requests == []


@pytest.mark.parametrize("key", ["with space", "line\r\nbreak: 1", "schlüssel", "x\0y"])
async def test_a_key_that_could_break_a_header_is_never_sent(key: str) -> None:
    async with FaultyUpstream() as upstream, app_on(upstream) as app:
        result = await call(app, "get_contact", {"contact_id": ID}, key=key)
        assert result.code == "BAD_API_KEY"
        assert key not in result.text
        assert upstream.requests == []


@SIZES
async def test_five_megabytes_of_arguments_arrive_and_the_server_lives_on(serve: Any, port: int) -> None:
    async with FaultyUpstream(port=port) as upstream, serve(*to(upstream)) as agent:
        await agent.text("call_write", tool="create_contact", args={"first_name": "Ann", "notes": "x" * 5_000_000})
        assert len(upstream.requests[0].json["notes"]) == 5_000_000
        assert "levels deep" in await agent.failure(
            "call_write", tool="create_contact", args={"first_name": "A", "metadata": json.loads("[" * 90 + "]" * 90)}
        )
        await agent.text("call_read", tool="get_contact", args={"contact_id": ID})


async def test_text_that_no_transport_can_carry_is_replaced(serve: Any, port: int) -> None:
    async with FaultyUpstream(port=port) as upstream, serve(*to(upstream)) as agent:
        upstream.answers.append((200, {}, b'{"data": {"id": "1", "name": "half \\ud800 of it"}}'))
        assert re.search(r"half \W? ?of it", await agent.text("call_read", tool="get_contact", args={"contact_id": ID}))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_file_comes_with_a_link_that_reads_its_bytes(serve: Any, port: int, mode: str) -> None:
    headers = {"content-type": "text/csv", "content-disposition": 'attachment; filename="contacts.csv"'}
    async with FaultyUpstream(port=port) as upstream, serve(*to(upstream), mode=mode) as agent:
        upstream.answers.append((200, headers, b"id,name\n1,Jo\n"))
        result = await agent.raw("call_read", tool="export_crm_data", args={"type": "contacts", "format": "csv"})
        assert not result.is_error, result.content[0].text
        link = result.content[1]
        assert (link.type, link.name, link.size) == ("resource_link", "contacts.csv", 13)
        contents = (await agent.client.read_resource(link.uri)).contents
        assert base64.b64decode(contents[0].blob) == b"id,name\n1,Jo\n"
