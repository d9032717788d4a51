"""`trustpager-mcp catalog diff` and `--stats`, as the catalogue's keeper runs them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.definitions import Tool
from trustpager_mcp.reference import differences, known_record

catalog = default_catalog()


def endpoint(tool: Tool) -> dict[str, Any]:
    """What a reference says of a tool that has not changed."""
    method, path = tool.operation.split(" ", 1)
    params = [
        {"name": p.wire, "in": p.location, "type": p.type, "required": p.required, "description": ""}
        for p in tool.parameters
        if not p.extra
    ]
    return {
        "method": method,
        "path": path,
        "description": "",
        "scopes": list(tool.scopes),
        "write": tool.is_write,
        "params": params,
    }


@pytest.fixture
def reference() -> dict[str, Any]:
    return {"groups": [{"title": "All", "endpoints": [endpoint(t) for t in catalog.tools.values()]}]}


def endpoint_of(reference: dict[str, Any], name: str) -> dict[str, Any]:
    own = catalog.tools[name]
    return next(e for e in reference["groups"][0]["endpoints"] if f"{e['method']} {e['path']}" == own.operation)


def changes(reference: dict[str, Any], known: dict[str, Any] | None = None) -> list[str]:
    return [str(c) for c in differences(reference, catalog, known or {"prose": {}})]


def test_the_same_reference_differs_in_nothing(reference: dict[str, Any]) -> None:
    assert changes(reference) == []


def test_a_new_endpoint_is_added(reference: dict[str, Any]) -> None:
    new = {"method": "GET", "path": "/moons/:id", "description": "", "scopes": [], "write": False, "params": []}
    reference["groups"][0]["endpoints"].append(new)
    assert changes(reference) == ["added   GET /moons/:id: no tool serves it"]


def test_an_endpoint_that_is_gone_is_dropped(reference: dict[str, Any]) -> None:
    reference["groups"][0]["endpoints"].remove(endpoint_of(reference, "void_signing_envelope"))
    assert [c.partition(": ")[2] for c in changes(reference)] == ["the reference has it no longer"]


def test_parameters_added_dropped_and_changed_are_told_apart(reference: dict[str, Any]) -> None:
    contact = endpoint_of(reference, "create_contact")
    contact["params"] = [p for p in contact["params"] if p["name"] != "job_title"]
    contact["params"].append({"name": "shoe_size", "in": "body", "type": "number", "required": False, "description": ""})
    next(p for p in contact["params"] if p["name"] == "last_name")["required"] = True
    next(p for p in contact["params"] if p["name"] == "tags" or p["name"] == "source")["type"] = "number"
    assert [(c.split()[0], re.sub(r".*: ", "", c)) for c in changes(reference)] == [
        ("changed", "last_name is required, ours optional"),
        ("changed", "source is number, ours string"),
        ("added", "body parameter shoe_size (number)"),
        ("dropped", "body parameter job_title"),
    ]


def test_scopes_and_the_write_flag_are_compared(reference: dict[str, Any]) -> None:
    contacts = endpoint_of(reference, "list_contacts")
    contacts["scopes"], contacts["write"] = ["people:read"], True
    assert [re.sub(r".*\): ", "", c) for c in changes(reference)] == [
        "scopes people:read, ours contacts:read",
        "write is True, ours False",
    ]


def test_prose_that_reads_differently_is_told(reference: dict[str, Any]) -> None:
    known = {"prose": {"GET /contacts": "000000000000"}}
    assert changes(reference, known) == ["changed GET /contacts (list_contacts): its prose reads differently; read it again"]


def test_an_alias_of_the_known_reference_that_is_gone_is_dropped(reference: dict[str, Any]) -> None:
    alias = next(a for t in catalog.tools.values() for a in t.aliases)
    assert any(alias.split(" ")[1].split("/")[1] in c for c in changes(reference, {"prose": {alias: "x"}}))


def test_the_record_covers_all_documented_operations() -> None:
    assert len(known_record()["prose"]) >= 582


def test_the_command_exits_1_with_differences_and_says_what_is_no_reference(
    tmp_path: Path, reference: dict[str, Any], command: str
) -> None:
    contacts = endpoint_of(reference, "list_contacts")
    contacts["description"] = "Something else."
    newer = tmp_path / "newer.json"
    newer.write_text(json.dumps(reference))
    ran = subprocess.run([command, "catalog", "diff", str(newer), "--json"], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert {"GET /contacts"} <= {c["operation"] for c in json.loads(ran.stdout)}
    newer.write_text("{}")
    ran = subprocess.run([command, "catalog", "diff", str(newer)], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "no parsed reference" in ran.stderr


def test_stats_tell_the_cost_of_the_tools_and_the_twenty_dearest(command: str) -> None:
    ran = subprocess.run([command, "catalog", "--stats"], capture_output=True, text=True, check=True)
    lines = ran.stdout.splitlines()
    total = re.fullmatch(r"(\d+) tools, (\d+) tokens \(o200k_base\)", lines[0])
    assert total
    assert int(total[1]) == len(catalog.tools)
    assert int(total[2]) <= 65_000
    assert re.fullmatch(r"a tool: median [\d.]+, p95 [\d.]+", lines[1])
    dearest = [int(line.split()[0]) for line in lines[3:]]
    assert dearest == sorted(dearest, reverse=True)
    assert len(dearest) == 20
