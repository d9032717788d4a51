"""Results in every way to a server: what an agent does not see at once, it can get."""

from __future__ import annotations

import csv
import json
import re
import subprocess
from pathlib import Path
from typing import Any

from mcp import StdioServerParameters
from mcp.client import Client

SMALL = ("--sandbox", "--result-tokens", "1500", "--timezone", "Australia/Brisbane")


def ids(text: str) -> list[str]:
    return re.findall(r"^([0-9a-f]{8}-[0-9a-f-]{27}),", text, re.MULTILINE)


async def test_the_instructions_explain_the_boundary_that_a_list_of_contacts_has(serve: Any) -> None:
    async with serve("--sandbox") as agent:
        text = await agent.text("list_contacts", limit=3)
        opened = re.search(r"^<(outsider-[0-9a-f]{6})>$", text, re.MULTILINE)
        assert opened is not None
        assert f"</{opened[1]}>" in text
        assert "<outsider-" in (agent.client.instructions or "")


async def test_max_items_walks_the_cursors_and_says_where_it_stopped(serve: Any) -> None:
    async with serve("--sandbox") as agent:
        text = await agent.text("call_read", tool="list_contacts", args={"limit": 40}, max_items=100)
        seen = ids(text)
        assert len(seen) == len(set(seen)) == 100
        cursor = re.search(r"shown 100 of 400; next page: cursor=(\S+)$", text)
        assert cursor is not None
        rest = ids(await agent.text("list_contacts", limit=100, cursor=cursor[1]))
        assert not set(rest) & set(seen)


async def test_a_loop_over_cursors_with_all_fields_recovers_every_contact(serve: Any) -> None:
    async with serve("--sandbox") as agent:
        whole = await agent.text("call_read", tool="list_contacts", args={"limit": 20}, fields=["all"])
        body = re.sub(r"^</?outsider.*\n", "", whole, flags=re.MULTILINE).split("\nshown ")[0]
        rows = list(csv.DictReader(body.splitlines()))
        one = await agent.raw("get_contact", contact_id=rows[0]["id"], fields=["all"], format="json")
        record = json.loads(re.sub(r"</?outsider-\w+>", "", one.content[0].text))
        for key, value in record.items():
            if isinstance(value, str) and key in rows[0] and "\n" not in value:
                assert rows[0][key].replace("T", " ")[:16] == value.replace("T", " ")[:16]


async def test_rows_that_do_not_fit_are_read_on_and_listed_as_a_resource_of_the_caller(serve: Any) -> None:
    async with serve(*SMALL) as agent:
        text = await agent.text("list_contacts", limit=100)
        seen = ids(text)
        assert 10 < len(seen) < 100
        handle = ""
        while found := re.search(r'read_result\("(\w+)", rows="([\d-]+)"\)', text):
            handle = found[1]
            text = await agent.text("read_result", handle=handle, rows=found[2])
            seen += ids(text)
        assert len(seen) == len(set(seen)) == 100
        listed = (await agent.client.list_resources()).resources
        assert f"trustpager://results/{handle}" in [str(r.uri) for r in listed]
        read = await agent.client.read_resource(f"trustpager://results/{handle}")
        assert len(json.loads(read.contents[0].text)) == 100


async def test_a_handle_that_does_not_exist_is_told(serve: Any) -> None:
    async with serve("--sandbox") as agent:
        assert "UNKNOWN_RESULT" in await agent.failure("read_result", handle="rnope")
        assert "it takes handle, rows" in await agent.failure("read_result", handle="x", row="1")


async def test_a_write_answers_with_what_changed(serve: Any) -> None:
    async with serve("--sandbox") as agent:
        contact = ids(await agent.text("list_contacts", limit=1))[0]
        text = await agent.text("call_write", tool="update_contact", args={"contact_id": contact, "job_title": "Pilot"})
        assert text.startswith("Done: update_contact.")
        assert "job_title: Pilot" in text
        assert "postal_code" not in text


async def test_moments_are_in_the_zone_of_the_workspace(serve: Any) -> None:
    async with serve(*SMALL) as agent:
        text = await agent.text("call_read", tool="list_contacts", args={"limit": 2}, fields=["created_at"])
        assert re.search(r",\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+10:00$", text, re.MULTILINE)


def test_a_zone_or_directory_that_does_not_exist_stops_the_start(command: str, tmp_path: Path) -> None:
    for option, value in (("--timezone", "Mars/Olympus"), ("--downloads", str(tmp_path / "missing")), ("--result-tokens", "5")):
        done = subprocess.run(
            [command, "serve", "--sandbox", option, value],
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 2
        assert value in done.stderr


def test_call_tells_the_tokens_of_text_and_raw_answer(command: str) -> None:
    done = subprocess.run(
        [command, "call", "list_contacts", '{"limit": 50}', "--sandbox", "--tokens"],
        env={},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert re.fullmatch(r"about \d+ tokens; the raw answer \d+: \d+\.\d%\n", done.stderr)


async def test_the_http_caller_reads_only_its_own_results(command: str) -> None:
    params = StdioServerParameters(command=command, args=["serve", "--sandbox", "--result-tokens", "1500"], env={})
    async with Client(params) as one, Client(params) as other:
        text = (await one.call_tool("list_contacts", {"limit": 100})).content[0].text  # type: ignore[union-attr]
        handle = re.search(r'read_result\("(\w+)"', text)
        assert handle is not None
        assert (await other.call_tool("read_result", {"handle": handle[1]})).is_error
