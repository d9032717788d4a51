"""Health, readiness, metrics, logs, spans and shutdown, as operators meet them: real processes and real sockets."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys

import anyio
import httpx
import pytest

from tests import forked
from tests.http_processes import PLAIN, Process, Tenant, base_url, control, free_port, server

TOKEN = "a-token-of-the-operator"
FULL = "tp_live_sandbox_full"


def get(process: Process, path: str, **headers: str) -> httpx.Response:
    sent = {k.replace("_", "-"): v for k, v in headers.items()}
    return httpx.get(process.url + path, headers=sent, timeout=20, trust_env=False, verify=PLAIN)


def value(page: str, name: str, **labels: str) -> float:
    """The sum of a metric's samples with at least these labels."""
    total = 0.0
    for line in page.splitlines():
        match = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
        if match and all(f'{k}="{v}"' in (match[1] or "") for k, v in labels.items()):
            total += float(match[2])
    return total


async def test_metrics_count_calls_and_show_no_argument_key_or_name_that_an_agent_made_up(api: Process) -> None:
    with server("--tools", "all", "--base-url", base_url(api), TRUSTPAGER_API_KEY=FULL) as process:
        async with Tenant(process.mcp) as tenant:
            await tenant.call("list_contacts", limit=2)
            await tenant.call("create_contact", first_name="Secretina")
            await tenant.call("call_read", tool="no_such_tool_evil", args={})
            await tenant.call("get_contact", contact_id="00000000-0000-4000-8000-000000000000")
            control(api, "faults", {"kind": "status", "status": 503, "method": "GET", "path": "/tasks"})
            await tenant.call("list_tasks")
        page = get(process, "/metrics").text
        calls = "trustpager_calls_total"
        assert value(page, calls, tool="list_contacts", effect="read", outcome="done") == 1
        assert value(page, calls, tool="create_contact", effect="write", outcome="done") == 1
        assert value(page, calls, tool="get_contact", outcome="failed") == 1
        assert value(page, calls, tool="unknown", outcome="refused") == 1
        assert value(page, "trustpager_call_failures_total", code="NOT_FOUND") == 1
        assert value(page, "trustpager_retries_total") == 1
        assert value(page, "trustpager_result_tokens_total") > 50
        assert value(page, "trustpager_upstream_seconds_count", effect="read") == 3
        assert 0 < value(page, "trustpager_upstream_seconds_sum") < value(page, "trustpager_call_seconds_sum")
        assert not re.search("Secretina|evil|tp_live|00000000-0000", page)


async def test_a_write_that_joins_another_is_counted_as_joined(api: Process) -> None:
    with server("--tools", "all", "--base-url", base_url(api), TRUSTPAGER_API_KEY=FULL) as process:
        control(api, "faults", {"kind": "delay", "seconds": 0.5, "method": "POST", "path": "/contacts"})
        async with Tenant(process.mcp) as tenant, anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(lambda: tenant.call("create_contact", first_name="Twice"))
        assert value(get(process, "/metrics").text, "trustpager_joined_calls_total") == 2


def test_refused_requests_are_counted_by_status(api: Process) -> None:
    with server("--base-url", base_url(api)) as process:
        httpx.post(process.mcp, json={}, headers={"x-api-key": "tp_live_stranger"}, timeout=20, verify=PLAIN)
        assert value(get(process, "/metrics").text, "trustpager_requests_refused_total", status="401") == 1


@pytest.mark.parametrize(
    "headers", [{"host": "evil.example"}, {"x_forwarded_for": "203.0.113.7"}, {"forwarded": "for=203.0.113.7"}]
)
def test_on_loopback_metrics_are_for_this_machine_only(headers: dict[str, str]) -> None:
    with server("--sandbox", "--allowed-hosts", "evil.example") as process:
        assert get(process, "/metrics").status_code == 200
        assert get(process, "/metrics", **headers).status_code == 404


def test_off_loopback_metrics_need_the_operators_token() -> None:
    with server("--sandbox", "--host", "0.0.0.0") as process:
        assert get(process, "/metrics").status_code == 404
    with server("--sandbox", "--host", "0.0.0.0", TRUSTPAGER_METRICS_TOKEN=TOKEN) as process:
        refused = get(process, "/metrics", authorization="Bearer a-token-of-nobody-here")
        assert (refused.status_code, TOKEN in refused.text) == (401, False)
        shown = get(process, "/metrics", authorization=f"Bearer {TOKEN}", host="10.0.0.7:8000")
        assert "trustpager_requests_in_flight 0.0" in shown.text


def test_a_metrics_token_that_could_be_guessed_stops_the_start() -> None:
    words = [forked.command(), "serve", "--transport", "http", "--sandbox", "--metrics-token", "short"]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=20)
    assert ran.returncode == 2
    assert "16 or more" in ran.stderr


async def test_while_it_drains_the_server_is_not_ready_and_still_answers() -> None:
    with server("--sandbox", "--drain-delay-seconds", "2") as process:
        assert get(process, "/readyz").status_code == 200
        process.popen.send_signal(signal.SIGTERM)
        while (ready := get(process, "/readyz")).status_code == 200:
            pass
        assert ready.json() == {"status": "not ready", "reason": "shutting down"}
        async with Tenant(process.mcp) as tenant:
            assert (await tenant.rpc("tools/list", {})).status_code == 200
        assert process.end() == -signal.SIGTERM


async def test_a_write_in_flight_at_shutdown_is_finished_and_answered(api: Process) -> None:
    with server("--tools", "all", "--base-url", base_url(api), TRUSTPAGER_API_KEY=FULL) as process:
        control(api, "faults", {"kind": "delay", "seconds": 1.0, "method": "POST", "path": "/contacts"})
        answers: list[tuple[str, bool]] = []
        async with Tenant(process.mcp) as tenant, anyio.create_task_group() as group:

            async def create() -> None:
                answers.append(await tenant.call("create_contact", first_name="Last"))

            group.start_soon(create)
            while "trustpager_requests_in_flight 1.0" not in get(process, "/metrics").text:
                await anyio.lowlevel.checkpoint()
            process.popen.send_signal(signal.SIGTERM)
        assert answers[0][1] is False, answers
        assert process.end() == -signal.SIGTERM


async def test_the_log_is_json_on_request_and_hides_keys() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/api"
    with server("--log-format", "json", "--base-url", nowhere, TRUSTPAGER_API_KEY="tp_live_topsecret") as process:
        async with Tenant(process.mcp) as tenant:
            await tenant.rpc("tools/list", {})
        process.popen.terminate()
        process.end()
    entries = [json.loads(line) for line in process.log.splitlines() if line.startswith("{")]
    (entry,) = [e for e in entries if "writes wait" in e["message"]]
    assert (entry["level"], entry["logger"]) == ("warning", "trustpager_mcp.app")
    assert "topsecret" not in process.log


async def test_a_caller_who_leaves_in_the_middle_of_its_request_is_no_error_in_the_log() -> None:
    with server("--sandbox") as process:
        address = httpx.URL(process.url)
        for _ in range(5):
            with socket.create_connection((address.host, address.port or 0)) as caller:
                head = f"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:{address.port}\r\ncontent-type: application/json\r\n"
                caller.sendall(f"{head}accept: application/json, text/event-stream\r\ncontent-length: 50\r\n\r\n{{".encode())
                while "trustpager_requests_in_flight 1.0" not in get(process, "/metrics").text:
                    pass
        while "trustpager_requests_in_flight 0.0" not in get(process, "/metrics").text:
            pass
        process.popen.terminate()
        process.end()
    assert "ClientDisconnect" not in process.log
    assert "Traceback" not in process.log


SPANS = """
import asyncio, json
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from trustpager_mcp import Toolkit

kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)

async def main():
    async with Toolkit(sandbox=True) as toolkit:
        await toolkit.call("create_contact", {"first_name": "Secretina"})
        await toolkit.call("get_contact", {"contact_id": "00000000-0000-4000-8000-000000000000"})

asyncio.run(main())
print(json.dumps([[s.name, dict(s.attributes), s.status.status_code.name] for s in kept.get_finished_spans()]))
"""


def test_every_call_is_a_span_with_its_outcome_and_without_arguments() -> None:
    ran = subprocess.run([sys.executable, "-c", SPANS], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    done, failed = json.loads(ran.stdout)
    assert (done[0], done[2], failed[2]) == ("trustpager.call", "UNSET", "ERROR")
    assert done[1]["trustpager.tool"] == "create_contact"
    assert (done[1]["trustpager.effect"], done[1]["trustpager.outcome"]) == ("write", "done")
    assert (failed[1]["trustpager.outcome"], failed[1]["error.type"]) == ("failed", "NOT_FOUND")
    assert not re.search("Secretina|00000000-0000", ran.stdout)
