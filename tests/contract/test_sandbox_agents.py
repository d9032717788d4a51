"""Voice and text agents: draft and live, calls that the clock drives, knowledge bases."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_sandbox_support import NOBODY, Api, make

FLOW = {
    "nodes": [{"id": "a", "type": "conversation"}],
    "global_prompt": "Greet {{name}}.",
    "default_dynamic_variables": {"job": "roof"},
}


async def voice(api: Api, **fields: Any) -> dict[str, Any]:
    """A voice agent of one's own."""
    agent: dict[str, Any] = await api.ok("POST", "/agents", {"type": "voice", "agent_name": "Olivia", **fields}, status=201)
    return agent


async def live(api: Api) -> dict[str, Any]:
    """A published voice agent."""
    agent = await voice(api)
    await api.ok("POST", f"/agents/{agent['id']}/update-flow", {"flow": FLOW})
    published: dict[str, Any] = await api.ok("POST", f"/agents/{agent['id']}/publish")
    return published


async def website(api: Api) -> str:
    """A website that configs may name."""
    record = api.workspace.world.fresh({"name": "Brightside"})
    api.workspace.store.add("website", [record])
    return str(record["id"])


async def test_agents_are_of_two_types_and_each_type_has_its_own_fields() -> None:
    api = make()
    talking = await voice(api, language="en-AU")
    writing = await api.ok("POST", "/agents", {"type": "text", "name": "Chat"}, status=201)
    assert talking["agent_id"].startswith("agent_")
    assert talking["id"] in {a["id"] for a in await api.get("/agents", type="voice")}
    assert {a["type"] for a in await api.get("/agents", type="text")} == {"text"}
    assert (await api.ok("PATCH", f"/agents/{writing['id']}", {"name": "Chat 2"}))["name"] == "Chat 2"
    assert (await api.ok("PATCH", f"/agents/{talking['id']}", {"agent_name": "Ola"}))["agent_name"] == "Ola"
    await api.error("PATCH", f"/agents/{writing['id']}", {"agent_name": "x"})
    await api.error("PATCH", f"/agents/{talking['id']}", {"name": "x"})
    for wrong in ({"type": "voice", "name": "x"}, {"type": "text", "agent_name": "x"}, {"type": "fax", "name": "x"}):
        await api.error("POST", "/agents", wrong)
    await api.error("GET", "/agents")
    await api.ok("DELETE", f"/agents/{writing['id']}", status=204)
    await api.error("GET", f"/agents/{writing['id']}", status=404)


@pytest.mark.parametrize(
    ("method", "tail", "body"),
    [
        ("POST", "sync", None), ("POST", "update-flow", {"flow": FLOW}), ("POST", "update-settings", {"settings": {"volume": 1}}),
        ("POST", "publish", None), ("POST", "call", {"to_number": "+61412345678"}), ("GET", "calls", None),
        ("GET", "website-config", None), ("GET", "outbound-config", None), ("POST", "provision", None), ("POST", "apply-template", {}),
    ],
)  # fmt: skip
async def test_what_only_voice_agents_do_is_refused_for_text_agents(method: str, tail: str, body: Any) -> None:
    api = make()
    agent = (await api.get("/agents", type="text"))[0]
    assert "voice agents only" in (await api.error(method, f"/agents/{agent['id']}/{tail}", body))["message"]


async def test_responses_are_those_of_a_text_agent() -> None:
    api = make()
    agent = (await api.get("/agents", type="text"))[0]
    assert {r["agent_id"] for r in await api.get(f"/agents/{agent['id']}/responses")} == {agent["id"]}
    await api.error("GET", f"/agents/{(await voice(api))['id']}/responses")


async def test_a_draft_goes_live_only_when_it_is_published() -> None:
    api = make()
    agent = await voice(api)
    path = f"/agents/{agent['id']}"
    assert "flow" in (await api.error("POST", f"{path}/publish"))["message"]
    draft = await api.ok("POST", f"{path}/update-flow", {"flow": FLOW})
    assert (draft["conversation_flow"], draft["published_flow"], draft["has_unpublished_changes"]) == (FLOW, None, True)
    published = await api.ok("POST", f"{path}/publish")
    assert (published["published_flow"], published["version"], published["has_unpublished_changes"]) == (FLOW, 1, False)
    assert published["default_dynamic_variables"] == {"name": None, "job": "roof"}
    tuned = await api.ok("POST", f"{path}/update-settings", {"settings": {"voice_speed": 1.2, "voice_id": "11labs-Noah"}})
    assert (tuned["settings"]["voice_speed"], tuned["conversation_flow"]) == (1.2, FLOW)
    assert tuned["published_settings"]["voice_speed"] == 1.0
    assert (await api.ok("POST", f"{path}/publish"))["published_settings"]["voice_speed"] == 1.2
    assert (await api.ok("POST", f"{path}/sync"))["last_synced_at"]
    for wrong in ({"speed": 1}, {}):
        await api.error("POST", f"{path}/update-settings", {"settings": wrong})
    await api.error("POST", f"{path}/update-flow", {"flow": {"global_prompt": "x"}})


async def test_an_orphan_is_provisioned_once_and_can_then_be_used() -> None:
    api = make()
    orphan = next(a for a in await api.get("/agents", type="voice") if not a["agent_id"].startswith("agent_"))
    path = f"/agents/{orphan['id']}"
    for tail, body in (("sync", None), ("publish", None), ("apply-template", {}), ("update-flow", {"flow": FLOW})):
        assert "provision" in (await api.error("POST", f"{path}/{tail}", body))["message"]
    assert (await api.ok("POST", f"{path}/provision"))["agent_id"].startswith("agent_")
    assert (await api.error("POST", f"{path}/provision", status=409))["code"] == "CONFLICT"
    await api.ok("POST", f"{path}/update-flow", {"flow": FLOW})
    await api.ok("POST", f"{path}/publish")


async def test_a_template_overwrites_flow_and_settings_with_the_default_or_another_agents() -> None:
    api = make()
    source, target = await live(api), await live(api)
    tuned = {"volume": 0.5, "voice_id": "11labs-Noah", "language": "en-NZ"}
    source = await api.ok("POST", f"/agents/{source['id']}/update-settings", {"settings": tuned})
    path = f"/agents/{target['id']}"
    default = await api.ok("POST", f"{path}/apply-template")
    assert (default["conversation_flow"] != FLOW, default["published_flow"]) == (True, FLOW)
    assert default["conversation_flow"]["global_prompt"]
    assert default["conversation_flow"]["knowledge_base_ids"]
    assert (default["voice_id"], default["language"]) == (default["settings"]["voice_id"], "en-AU")
    copied = await api.ok("POST", f"{path}/apply-template", {"source_agent_id": source["id"]})
    assert (copied["conversation_flow"], copied["settings"]["volume"]) == (FLOW, 0.5)
    for name in ("voice_id", "retell_voice_id", "uses_fallback_voice", "language"):
        assert copied[name] == source[name]
    bare = await voice(api)
    for wrong in (NOBODY, target["id"], bare["id"], (await api.get("/agents", type="text"))[0]["id"]):
        await api.error("POST", f"{path}/apply-template", {"source_agent_id": wrong})


async def test_a_call_rings_talks_and_ends_by_the_clock_and_leaves_its_traces() -> None:
    api = make()
    agent = await live(api)
    contacts = [
        await api.ok("POST", "/contacts", {"first_name": f"C{i}", "phone": f"+6141234{i:04d}"}, status=201) for i in range(12)
    ]
    number = (await api.get("/phone/numbers"))[0]
    path = f"/agents/{agent['id']}"
    error = await api.error("POST", f"{path}/call", {"to_number": contacts[0]["phone"]})
    assert "from_number" in error["details"]["fields"]
    await api.ok("PATCH", f"/phone/numbers/{number['id']}", {"outbound_voice_agent_config_id": agent["id"]})
    balance = (await api.ok("GET", "/__sandbox/credits"))["balance"]
    first = await api.ok("POST", f"{path}/call", {"to_number": contacts[0]["phone"]}, status=201)
    assert (first["from_number"], first["call_status"]) == (number["phone_number"], "registered")
    assert [w.split()[2] for w in first["warnings"]] == ["name", "job"]
    for contact in contacts[1:]:
        variables = {"name": contact["first_name"], "job": "solar"}
        body = {"to_number": contact["phone"], "dynamic_variables": variables}
        assert (await api.ok("POST", f"{path}/call", body, status=201))["warnings"] == []
    assert len(await api.outbox("call")) == 12
    await api.advance(10)
    assert "ongoing" in {c["call_status"] for c in await api.get(f"{path}/calls")}
    await api.advance(3600)
    calls = await api.get(f"{path}/calls")
    assert {c["call_status"] for c in calls} == {"ended", "not_connected"}
    ended = next(c for c in calls if c["call_status"] == "ended")
    whole = await api.get(f"/agents/calls/{ended['id']}")
    assert "transcript" not in ended
    assert whole["transcript"].startswith("Agent: Hi")
    log = next(c for c in await api.get("/phone/call-logs") if c["agent_call_id"] == ended["id"])
    assert log["duration_seconds"] * 1000 == ended["duration_ms"] > 0
    assert (await api.get(f"/contacts/{ended['contact_id']}/activities"))[0]["activity_type"] == "call"
    said = [t for t in await api.get("/transcripts", source="retell") if t["metadata"]["agent_call_id"] == ended["id"]]
    assert [c["id"] for c in said[0]["linked_entities"]["contacts"]] == [ended["contact_id"]]
    spent = balance - (await api.ok("GET", "/__sandbox/credits"))["balance"]
    assert spent == sum(c["credits_charged"] for c in calls) == 12 * sum(-(-c["duration_ms"] // 60_000) for c in calls) > 0


async def test_a_call_ends_at_the_agents_published_limit() -> None:
    api = make()
    agent, own = await live(api), (await api.get("/phone/numbers"))[0]["phone_number"]
    path = f"/agents/{agent['id']}"
    await api.ok("POST", f"{path}/update-settings", {"settings": {"max_call_duration_ms": 20_000}})
    await api.ok("POST", f"{path}/publish")
    for i in range(8):
        await api.ok("POST", f"{path}/call", {"to_number": f"+6141234{i:04d}", "from_number": own}, status=201)
    await api.advance(600)
    calls = await api.get(f"{path}/calls")
    limited = [c["duration_ms"] for c in calls if c["disconnection_reason"] == "max_duration_reached"]
    assert set(limited) == {20_000}
    assert {c["disconnection_reason"] for c in calls} <= {"max_duration_reached", "dial_no_answer", "voicemail_reached"}


async def test_a_call_needs_a_published_agent_an_own_number_and_credits() -> None:
    api = make()
    agent, own = await live(api), (await api.get("/phone/numbers"))[0]["phone_number"]
    body = {"to_number": "+61412345678", "from_number": own}
    path = f"/agents/{agent['id']}/call"
    await api.error("POST", path, {**body, "from_number": "+61290001234"})
    await api.error("POST", path, {**body, "to_number": "0412345678"})
    draft = await voice(api)
    assert "publish" in (await api.error("POST", f"/agents/{draft['id']}/call", body))["message"]
    await api.ok("POST", "/__sandbox/credits", {"balance": 5})
    assert (await api.error("POST", path, body, status=402))["code"] == "INSUFFICIENT_CREDITS"
    assert await api.outbox("call") == []
    await api.error("GET", f"/agents/calls/{NOBODY}", status=404)


async def test_a_required_text_is_not_blank() -> None:
    api = make()
    agent, kb = (await api.get("/agents", type="text"))[0]["id"], (await api.get("/voice-agent-kbs"))[0]["id"]
    for method, path, body in (
        ("POST", "/agents", {"type": "text", "name": ""}), ("PATCH", f"/agents/{agent}", {"name": " "}),
        ("POST", "/voice-agent-kbs", {"name": " "}), ("POST", f"/voice-agent-kbs/{kb}/documents", {"title": "x", "text": ""}),
        ("POST", "/email-campaigns", {"name": " "}),
        ("POST", "/email/configs", {"from_email_handle": "a", "from_name": "", "staff_email": "a@b.example"}),
        ("POST", "/email/send", {"to_email": "a@b.example", "subject": "", "html_body": "x"}),
        ("POST", "/transcripts/transcribe", {"recording_url": "https://a.example/b", "title": "", "type": "call"}),
    ):  # fmt: skip
        assert "must not be empty" in (await api.error(method, path, body))["message"]


@pytest.mark.parametrize("kind", ["website-config", "outbound-config"])
async def test_configs_tie_an_agent_to_a_website_once(kind: str) -> None:
    api = make()
    agent, other = await voice(api), await voice(api)
    first, second = await website(api), await website(api)
    path = f"/agents/{agent['id']}/{kind}"
    config = await api.ok("POST", path, {"website_id": first}, status=201)
    assert await api.get(path) == [config]
    await api.error("POST", path, {"website_id": first}, status=409)
    assert (await api.ok("PATCH", f"{path}/{config['id']}", {"website_id": second}))["website_id"] == second
    await api.error("POST", path, {})
    await api.error("POST", path, {"website_id": NOBODY})
    await api.error("PATCH", f"/agents/{other['id']}/{kind}/{config['id']}", {"website_id": first}, status=404)
    await api.ok("DELETE", f"{path}/{config['id']}", status=204)
    assert await api.get(path) == []


async def test_a_deleted_agent_answers_no_number_and_takes_its_configs_along() -> None:
    api = make()
    agent = next(a for a in await api.get("/agents", type="voice") if a["phone_numbers"]["inbound"])
    await api.ok("DELETE", f"/agents/{agent['id']}", status=204)
    assert agent["id"] not in {n["inbound_voice_agent_config_id"] for n in await api.get("/phone/numbers")}
    assert api.workspace.store.all("agent_website_config", agent_id=agent["id"]) == []


async def test_a_knowledge_base_holds_the_given_texts_and_more_can_be_added_and_removed() -> None:
    api = make()
    texts = [{"title": "Fee", "text": "90 dollars"}, {"title": "Area", "text": "Sydney"}]
    kb = await api.ok("POST", "/voice-agent-kbs", {"name": "FAQ", "initial_texts": texts}, status=201)
    assert [d["title"] for d in kb["documents"]] == ["Fee", "Area"]
    path = f"/voice-agent-kbs/{kb['id']}"
    added = await api.ok("POST", f"{path}/documents", {"title": "Hours", "text": "7 to 5"}, status=201)
    assert (added["source_type"], added["source_id"], len(added["content_hash"])) == ("manual", None, 64)
    await api.ok("DELETE", f"{path}/documents/{kb['documents'][0]['id']}", status=204)
    assert [d["title"] for d in await api.get(f"{path}/documents")] == ["Area", "Hours"]
    assert (await api.get(path))["document_count"] == 2
    other = (await api.get("/voice-agent-kbs"))[1]
    await api.error("DELETE", f"/voice-agent-kbs/{other['id']}/documents/{added['id']}", status=404)
    await api.error("POST", "/voice-agent-kbs", {"name": "x", "initial_texts": [{"title": "no text"}]})
    await api.ok("DELETE", path, status=204)
    await api.error("GET", path, status=404)
    assert api.workspace.store.get("agent_kb_document", added["id"]) is None


async def test_a_help_center_base_follows_the_articles() -> None:
    api = make()
    store = api.workspace.store
    body = {"name": "Help", "source": "help_center", "initial_texts": [{"title": "ignored", "text": "x"}]}
    kb = await api.ok("POST", "/voice-agent-kbs", body, status=201)
    articles = store.all("help_center_article")
    assert {d["source_id"] for d in kb["documents"]} == {a["id"] for a in articles}
    sync = f"/voice-agent-kbs/{kb['id']}/sync-help-center"
    count = len(articles)
    nothing = {"added": 0, "updated": 0, "unchanged": count, "removed": 0, "failed": 0}
    assert await api.ok("POST", sync) == nothing
    store.save("help_center_article", {**articles[0], "content": "New words"})
    store.delete("help_center_article", articles[1]["id"])
    store.add("help_center_article", [api.workspace.world.fresh({"title": "New", "content": "Text"})])
    assert await api.ok("POST", sync) == {"added": 1, "updated": 1, "unchanged": count - 2, "removed": 1, "failed": 0}


async def test_attaching_changes_the_draft_once_and_the_live_agent_when_published() -> None:
    api = make()
    agent, kb = await live(api), (await api.get("/voice-agent-kbs"))[0]
    bare = (await voice(api))["id"]
    await api.ok("POST", f"/voice-agent-kbs/{kb['id']}/attach/{bare}")
    assert "no conversation flow" in (await api.error("POST", f"/agents/{bare}/publish"))["message"]
    path = f"/voice-agent-kbs/{kb['id']}/attach/{agent['id']}"
    first = await api.ok("POST", path)
    assert (first["already_attached"], first["knowledge_base_ids"]) == (False, [kb["retell_knowledge_base_id"]])
    assert (await api.ok("POST", path))["already_attached"] is True
    held = await api.get(f"/agents/{agent['id']}")
    assert held["conversation_flow"]["knowledge_base_ids"] == [kb["retell_knowledge_base_id"]]
    assert "knowledge_base_ids" not in held["published_flow"]
    published = await api.ok("POST", f"/agents/{agent['id']}/publish")
    assert published["published_flow"]["knowledge_base_ids"] == [kb["retell_knowledge_base_id"]]
    await api.ok("DELETE", f"/voice-agent-kbs/{kb['id']}", status=204)
    assert (await api.get(f"/agents/{agent['id']}"))["conversation_flow"]["knowledge_base_ids"] == [
        kb["retell_knowledge_base_id"]
    ]
    await api.error("POST", f"/voice-agent-kbs/{kb['id']}/attach/{agent['id']}", status=404)
