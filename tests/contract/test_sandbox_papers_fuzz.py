"""Files, documents, forms, signing, websites: whatever comes to records that exist, nothing fails and nothing is half done."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.test_sandbox_coverage import PAPERS, body_of
from tests.contract.test_sandbox_support import make
from trustpager_mcp.definitions import load_toolsets

CALLER = make()
TOOLS = [tool for toolset in load_toolsets() for tool in toolset.tools if toolset.toolset in PAPERS and tool.method != "DELETE"]
KINDS = {
    "document-templates": "document_template", "documents": "document", "files": "file", "templates": "form_template",
    "folders": "form_folder", "prefills": "form_prefill", "submissions": "form_submission", "websites": "website",
    "pages": "website_page", "order-forms": "order_form", "training-canvases": "training_canvas", "envelopes": "signing_envelope",
    "training-cards": "training_card", "supplier-catalog": "supplier_product", "fields": "form_field",
}  # fmt: skip
IDS = {name: CALLER.workspace.store.all(kind)[0]["id"] for name, kind in KINDS.items()}
KNOWN = [CALLER.workspace.store.all(kind)[0]["id"] for kind in ("opportunity", "contact", "company", "product", *KINDS.values())]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(
    SCALARS | st.sampled_from(KNOWN), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


async def answers(method: str, path: str, body: Any) -> None:
    response = await CALLER.as_key("tp_live_sandbox_full").send(method, path, content=json.dumps(body))
    assert response.status_code < 500, f"{method} {path} {body}: {response.text}"


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_body_makes_a_change_of_an_existing_record_fail(data: st.DataObject) -> None:
    tool = data.draw(st.sampled_from(TOOLS))
    body: Any = dict(body_of(tool) or {})
    for parameter in data.draw(st.lists(st.sampled_from([p.wire for p in tool.parameters] or ["x"]), max_size=4)):
        body[parameter] = data.draw(st.sampled_from(KNOWN) | JSON)
    segments = tool.path.split("/")
    known = [IDS.get(before, KNOWN[0]) if name.startswith(":") else name for before, name in itertools.pairwise(segments)]
    asyncio.run(answers(tool.method, "/" + "/".join(known), body))


def pages() -> list[str]:
    """The pages of a form that is out, of an envelope that is out and of an order form."""
    store = CALLER.workspace.store
    waiting = store.all("form_submission", status="sent")[0], store.all("signing_recipient", status="sent")[0]
    return [f"forms/{waiting[0]['token']}", f"sign/{waiting[1]['token']}", f"order-forms/{IDS['order-forms']}", "forms/x", "x"]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(pages()), JSON, st.sampled_from(["answers", "input_values", "items", "action", "card"]))
def test_no_body_makes_a_clients_page_fail(page: str, value: Any, name: str) -> None:
    base = {"customer_name": "Sam", "customer_email": "a@b.example", "card": "4242424242424242", "items": []}
    for body in (value, {**base, name: value}):
        asyncio.run(answers("POST", f"/functions/v1/public/{page}", body))


@pytest.mark.parametrize(
    "path", ["", "files", "files/x", "files/x/y", "signed/x/y", "forms", "sign/x/y", "../api/v1/files", "%00/a"]
)
async def test_there_is_nothing_else_in_public(path: str) -> None:
    error = await CALLER.as_key(None).error("GET", f"/functions/v1/public/{path}", status=404 if ".." not in path else 401)
    assert error["code"] in ("NOT_FOUND", "UNAUTHORIZED")


def test_every_path_of_these_groups_can_be_filled_with_a_record() -> None:
    named = {before for tool in TOOLS for before, _ in re.findall(r"/([\w-]+)/:(\w+)", tool.path)}
    assert named - set(IDS) <= {"sections", "cards"}
