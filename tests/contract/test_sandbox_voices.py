"""Voices of the workspace and the platform, and the provider voices that stand for them."""

from __future__ import annotations

from typing import Any

from tests.contract.test_sandbox_support import NOBODY, make


async def test_workspace_voices_come_first_and_platform_voices_cannot_be_touched() -> None:
    api = make()
    voices = await api.get("/voices")
    assert [v["source"] for v in voices] == ["workspace", *["platform"] * 4]
    assert [v["sort_order"] for v in voices[1:]] == [0, 1, 2, 3]
    platform = f"/voices/{voices[1]['id']}"
    await api.error("GET", platform, status=404)
    await api.error("PATCH", platform, {"name": "x"}, status=404)
    await api.error("DELETE", platform, status=404)
    await api.ok("DELETE", f"/voices/{voices[0]['id']}", status=204)
    assert {v["source"] for v in await api.get("/voices")} == {"platform"}


async def test_a_voice_is_saved_once_with_its_name_looked_up_and_one_is_the_default() -> None:
    api = make()
    body = {"provider_voice_id": "XrExE9yKIg1WjnnlVkGX", "is_default": True}
    voice = await api.ok("POST", "/voices", body, status=201)
    assert (voice["name"], voice["model"], voice["provider"]) == ("Matilda", "eleven_multilingual_v2", "elevenlabs")
    assert [v["id"] for v in await api.get("/voices") if v["is_default"]] == [voice["id"]]
    assert (await api.error("POST", "/voices", body, status=409))["code"] == "CONFLICT"
    changed = await api.ok("PATCH", f"/voices/{voice['id']}", {"name": "Tilly", "settings": {"stability": 0.9}})
    assert (changed["name"], changed["settings"]) == ("Tilly", {"stability": 0.9})
    for wrong in (
        {"provider_voice_id": " "},
        {"provider_voice_id": "v", "name": " "},
        {},
        {"provider_voice_id": "v", "settings": {"style": 2}},
    ):
        await api.error("POST", "/voices", wrong)


async def test_speech_is_said_by_the_named_voice_or_by_the_workspaces_default() -> None:
    api = make()
    charlie = next(v for v in await api.get("/voices") if v["name"] == "Charlie")

    async def said_by(**body: Any) -> tuple[str, str]:
        voice = (await api.ok("POST", "/ai/generate-speech", {"text": "Good morning.", **body}))["voice"]
        return voice["name"], voice["source"]

    assert await said_by() == ("Noah", "workspace")
    for named in ("charlie", charlie["id"], charlie["provider_voice_id"]):
        assert await said_by(voice=named) == ("Charlie", "platform")
    await api.ok("POST", "/voices", {"provider_voice_id": "v1", "name": "Charlie"}, status=201)
    assert await said_by(voice="Charlie") == ("Charlie", "workspace")
    assert await said_by(voice="Rachel") == ("Rachel", "preset")


async def test_a_mapping_decides_which_provider_voice_an_agent_speaks_with() -> None:
    api = make()
    catalog = await api.get("/voices/provider-catalog")
    assert {"voice_id", "name", "accent", "gender", "preview_url"} <= set(catalog[0])
    voice = next(v for v in await api.get("/voices") if v["name"] == "Charlie")
    body = {"type": "voice", "agent_name": "A", "voice_id": voice["id"]}
    before = await api.ok("POST", "/agents", body, status=201)
    assert (before["uses_fallback_voice"], before["retell_voice_id"]) == (True, "11labs-Adrian")
    path = f"/voices/{voice['id']}/provider-mapping"
    assert (await api.ok("POST", path, {"retell_voice_id": "11labs-Charlie"}))["retell_voice_id"] == "11labs-Charlie"
    after = await api.ok("POST", "/agents", body, status=201)
    assert (after["uses_fallback_voice"], after["retell_voice_id"]) == (False, "11labs-Charlie")
    assert (await api.ok("POST", path, {"retell_voice_id": None}))["retell_voice_id"] is None
    for wrong in ({}, {"retell_voice_id": "11labs-Nobody"}):
        await api.error("POST", path, wrong)
    await api.error("POST", f"/voices/{NOBODY}/provider-mapping", {"retell_voice_id": None}, status=404)


async def test_a_sync_maps_same_names_of_the_same_provider_and_keeps_what_is_mapped() -> None:
    api = make()
    answer = await api.ok("POST", "/voices/sync-provider-catalog", {})
    outcome = {v["name"]: v["result"] for v in answer["voices"]}
    expected = {"Noah": "skipped", "Jessica": "skipped", "Matilda": "matched", "Charlie": "matched", "Sophie": "unmatched"}
    assert outcome == expected
    assert (answer["matched"], answer["skipped"], answer["unmatched"]) == (2, 2, 1)
    again = await api.ok("POST", "/voices/sync-provider-catalog", {})
    assert (again["matched"], again["skipped"]) == (0, 4)
    noah = next(v for v in await api.get("/voices") if v["name"] == "Noah")
    forced = await api.ok("POST", "/voices/sync-provider-catalog", {"voice_id": noah["id"], "force": True})
    assert [(v["name"], v["result"]) for v in forced["voices"]] == [("Noah", "matched")]
    await api.error("POST", "/voices/sync-provider-catalog", {"voice_id": NOBODY}, status=404)
