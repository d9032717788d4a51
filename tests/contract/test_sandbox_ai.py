"""AI without a model: deterministic, honest, charged as documented; pictures and sound are real files."""

from __future__ import annotations

import io
import sys
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.contract.test_sandbox_support import NOBODY, Api, make
from trustpager_mcp.sandbox.groups import HANDLERS

TALK = (
    "Mia Thornton: Thanks for your time. What do you need?\nAnn: We need a battery before summer.\n"
    "Mia Thornton: What is your budget? When should it be done?\nAnn: I want a quote first.\nMia Thornton: Great, I will send it tomorrow."
)


def transcript(api: Api, text: str | None = TALK, **fields: Any) -> str:
    record = api.workspace.world.fresh({"title": "Call", "type": "call", "transcript_text": text, **fields})
    api.workspace.store.add("transcript", [record])
    transcript_id: str = record["id"]
    return transcript_id


async def balance(api: Api) -> float:
    left: float = (await api.get("/billing/balance"))["balance"]
    return left


async def fetched(api: Api, url: str) -> httpx.Response:
    response = await api.as_key(None).client.get(url)
    assert response.status_code == 200
    return response


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("make it more professional", "Hello Ann, we cannot wait. It rained. We came."),
        ("shorten it", "hi Ann, we can't wait."),
        ("as a bullet list", "- hi Ann, we can't wait.\n- It rained.\n- We came."),
        ("in capitals", "HI ANN, WE CAN'T WAIT. IT RAINED. WE CAME."),
        ("fix the grammar", "Hi Ann, we can't wait. It rained. We came."),
    ],
)
async def test_a_text_is_edited_by_rules_that_the_answer_admits(instruction: str, expected: str) -> None:
    api = make()
    before = await balance(api)
    body = {"text": "hi Ann, we can't wait. It rained. We came.", "instruction": instruction}
    answer = await api.ok("POST", "/ai/edit-text", body)
    assert answer["edited_text"] == expected
    assert answer["sandbox"] is True
    assert "no model" in answer["note"]
    assert await api.ok("POST", "/ai/edit-text", {"originalText": body["text"], "editInstructions": instruction}) == answer
    assert await balance(api) == before - 2


async def test_coaching_scores_a_team_member_on_a_transcript() -> None:
    api = make()
    before = await balance(api)
    by_id = await api.ok("POST", "/ai/call-coaching", {"transcript_id": transcript(api), "team_member_name": "mia thornton"})
    assert set(by_id["scores"]) == {"listening", "discovery", "next_steps", "rapport"}
    assert by_id["scores"]["next_steps"] == 90
    kept = await api.get(f"/transcripts/coaching/{by_id['coaching_id']}")
    assert (kept["overall_score"], kept["summary"]) == (by_id["overall_score"], by_id["coaching_summary"])
    assert await api.get(f"/transcripts/{kept['transcript_id']}/coaching") == [kept]
    assert (await api.get("/transcripts/coaching", team_member_id=kept["team_member_id"], source_type="zoom_call"))[0] == kept
    meeting = {"transcript_id": transcript(api, type="meeting"), "team_member_name": "Mia Thornton"}
    assert (await api.ok("POST", "/ai/call-coaching", meeting))["source_type"] == "zoom_meeting"
    sms = {**meeting, "source_type": "sms_conversation"}
    assert (await api.ok("POST", "/ai/call-coaching", sms))["source_type"] == "sms_conversation"
    assert by_id["team_member"]["name"] == "Mia Thornton"
    assert [r["id"] for r in await api.get(f"/transcripts/{by_id['transcript_id']}/coaching")] == [kept["id"]]
    assert kept in await api.get("/transcripts/coaching", team_member_id=by_id["team_member"]["user_id"])
    assert set(by_id["strengths"]).isdisjoint(by_id["improvements"])
    assert await balance(api) == before - 9
    by_text = await api.ok("POST", "/ai/call-coaching", {"transcript_text": TALK, "team_member_name": "Mia Thornton"})
    assert by_text["scores"] == by_id["scores"]
    for wrong in ({"transcript_text": TALK, "team_member_name": "Nobody"}, {"team_member_name": "Mia Thornton"}):
        await api.error("POST", "/ai/call-coaching", wrong)
    await api.error("POST", "/ai/call-coaching", {"transcript_id": NOBODY, "team_member_name": "Mia Thornton"}, status=404)
    assert await balance(api) == before - 12


async def test_a_pipeline_is_proposed_from_a_description_and_can_be_made_from_it() -> None:
    api = make()
    before = len(await api.get("/pipelines"))
    answer = await api.ok("POST", "/ai/generate-pipeline", {"description": "We install solar roofs", "success_criteria": "paid"})
    stages = answer["pipeline"]["stages"]
    assert "Site visit booked" in [s["name"] for s in stages]
    assert [s["position"] for s in stages] == list(range(len(stages)))
    assert len(await api.get("/pipelines")) == before
    made = await api.ok("POST", "/pipelines", {"name": answer["pipeline"]["name"]}, status=201)
    await api.ok("POST", f"/pipelines/{made['id']}/stages", {"name": stages[0]["name"]}, status=201)


async def test_needs_are_read_out_of_a_deals_transcripts_and_activities() -> None:
    api = make()
    ann = await api.ok("POST", "/contacts", {"first_name": "Ann", "notes": "Wants a quiet inverter."}, status=201)
    deal = await api.ok("POST", "/opportunities", {"name": "Roof", "contact_id": ann["id"]}, status=201)
    api.workspace.store.link("transcript_opportunity", transcript(api), deal["id"])
    note = {"activity_type": "note", "subject": "n", "description": "Quarterly bill is 800 dollars.", "deal_id": deal["id"]}
    await api.ok("POST", "/activities", note, status=201)
    answer = await api.ok("POST", "/ai/needs-analysis", {"deal_id": deal["id"]})
    assert any("battery before summer" in need for need in answer["needs"])
    assert answer["answers"]["bill"] == "Quarterly bill is 800 dollars."
    assert answer["sources"] == {"transcripts": 1, "activities": 1, "contacts": 1}
    focused = await api.ok("POST", "/ai/needs-analysis", {"deal_id": deal["id"], "master_prompt": "the inverter"})
    assert focused["needs"][0] == "Wants a quiet inverter."
    assert sorted(focused["needs"]) == sorted(answer["needs"])
    await api.error("POST", "/ai/needs-analysis", {"deal_id": NOBODY}, status=404)


async def test_a_transcript_is_summed_up_with_a_focus() -> None:
    api = make()
    transcript_id = transcript(api)
    answer = await api.ok("POST", "/ai/transcript-summary", {"transcript_id": transcript_id, "focus": "battery"})
    assert "battery" in answer["summary"]
    assert answer["action_items"]
    await api.error("POST", "/ai/transcript-summary", {"transcript_id": transcript(api, None)})
    await api.error("POST", "/ai/transcript-summary", {"transcript_id": NOBODY}, status=404)


async def test_a_picture_is_a_real_file_of_the_asked_size_saved_to_the_companys_files() -> None:
    api = make()
    before = await balance(api)
    for output_format, size in (("PNG", (1024, 1024)), ("WEBP", (1344, 768)), ("JPEG", (672, 1536))):
        body = {"prompt": "a red roof", "output_format": output_format, "width": size[0], "height": size[1]}
        answer = await api.ok("POST", "/ai/generate-image", body)
        response = await fetched(api, answer["image_url"])
        with Image.open(io.BytesIO(response.content)) as picture:
            assert (picture.format, picture.size) == (output_format, size)
        assert response.headers["content-type"] == f"image/{output_format.lower()}"
        file = api.workspace.store.get("file", answer["file_id"])
        assert file is not None
        assert (file["type"], file["file_size"]) == ("image", len(response.content))
        assert (await api.get("/files", type="image"))[0]["id"] == file["id"]
    assert await balance(api) == before - 24


async def test_the_same_prompt_paints_the_same_picture_and_another_seed_another() -> None:
    api = make()
    urls = [
        (await api.ok("POST", "/ai/generate-image", {"prompt": "a roof", **seed}))["image_url"] for seed in ({}, {}, {"seed": 5})
    ]
    first, second, other = [(await fetched(api, url)).content for url in urls]
    assert first == second != other


async def test_a_size_that_is_no_valid_pair_is_refused_with_all_pairs_and_not_charged() -> None:
    api = make()
    before = await balance(api)
    for size in ({"width": 1024, "height": 832}, {"width": 512, "height": 512}, {"height": 1248}):
        for path, body in (("generate", {}), ("edit", {"reference_image_url": "https://cdn.example/a.png"})):
            error = await api.error("POST", f"/ai/{path}-image", {"prompt": "a roof", **size, **body})
            assert (error["code"], len(error["details"]["valid_dimensions"])) == ("VALIDATION_ERROR", 11)
    for wrong in (
        {"prompt": "x"},
        {"prompt": "x" * 3001},
        {"prompt": "a roof", "width": "wide"},
        {"prompt": "a", "output_format": "GIF"},
    ):
        await api.error("POST", "/ai/generate-image", wrong)
    assert await balance(api) == before


async def test_an_edited_picture_takes_one_to_three_references() -> None:
    api = make()
    url = "https://cdn.example/a.png"
    one = await api.ok("POST", "/ai/edit-image", {"prompt": "in snow", "reference_image_url": url})
    assert one["reference_image_urls"] == [url]
    await api.ok("POST", "/ai/edit-image", {"prompt": "in snow", "reference_image_urls": [url, url]})
    for wrong in ({}, {"reference_image_urls": [url] * 4}, {"reference_image_url": url, "reference_image_urls": [url]},
                  {"reference_image_url": "file:///etc/passwd"}):  # fmt: skip
        await api.error("POST", "/ai/edit-image", {"prompt": "in snow", **wrong})


async def test_upscaling_multiplies_the_size_of_a_picture_that_the_sandbox_made() -> None:
    api = make()
    source = await api.ok("POST", "/ai/generate-image", {"prompt": "a roof", "width": 1536, "height": 672})
    answer = await api.ok(
        "POST", "/ai/upscale-image", {"image_url": source["image_url"], "upscale_factor": 2, "output_format": "WEBP"}
    )
    assert (answer["width"], answer["height"]) == (3072, 1344)
    with Image.open(io.BytesIO((await fetched(api, answer["image_url"])).content)) as picture:
        assert picture.size == (3072, 1344)
    await api.error("POST", "/ai/upscale-image", {"image_url": source["image_url"], "upscale_factor": 5})
    large = await api.ok(
        "POST", "/ai/upscale-image", {"image_url": answer["image_url"], "upscale_factor": 2, "output_format": "WEBP"}
    )
    assert large["width"] == 6144
    await api.error("POST", "/ai/upscale-image", {"image_url": large["image_url"], "upscale_factor": 2})


async def test_speech_is_an_mp3_of_the_right_length_charged_by_the_hundred_characters() -> None:
    api = make()
    before = await balance(api)
    text = "Good morning, Ann. The crew comes at nine. " * 4
    answer = await api.ok(
        "POST", "/ai/generate-speech", {"text": text, "voice": "rachel", "transcript": "sentences", "name": "Morning"}
    )
    assert answer["credits_charged"] == 100
    assert await balance(api) == before - 100
    audio = (await fetched(api, answer["audio_url"])).content
    assert audio[:2] == b"\xff\xfb"
    frames = len(audio) / 417
    assert frames == int(frames)
    assert frames * 1152 / 44_100 == pytest.approx(answer["duration_seconds"], abs=0.03)
    assert answer["voice"] == {"name": "rachel", "source": "preset", "id": None}
    parts = answer["transcript"]
    assert [p["text"] for p in parts[:2]] == ["Good morning, Ann.", "The crew comes at nine."]
    assert all(p["frame_end"] == round(p["end"] * 30) for p in parts)
    words = await api.ok("POST", "/ai/generate-speech", {"text": "one two three", "transcript": "words"})
    assert (len(words["transcript"]), words["credits_charged"]) == (3, 50)
    voices = await api.get("/voices")
    own = next(v for v in voices if v["is_default"])
    assert words["voice"] == {"name": own["name"], "source": "workspace", "id": own["id"]}
    for voice in (
        next(v for v in voices if v["source"] == "platform"),
        {"name": "xyz123", "source": "provider_voice_id", "id": None},
    ):
        said = await api.ok(
            "POST", "/ai/generate-speech", {"text": "one two", "voice": voice["name"].lower(), "transcript": "none"}
        )
        assert (said["voice"]["source"], said["voice"]["id"]) == (voice["source"], voice["id"])
        assert "transcript" not in said
    for wrong in ({"text": "x"}, {"text": "x" * 5001}, {"text": "xx", "stability": 2}, {"text": "xx", "output_format": "ogg"}):
        await api.error("POST", "/ai/generate-speech", wrong)


async def test_a_structure_can_be_generated_without_keeping_it() -> None:
    api = make()
    asked = {
        "form": ("An incident report with ABN", "fields"), "document": ("A proposal with a quote to sign", "sections"),
        "whiteboard": ("lead, quote, install", "elements"), "website-page": ("Solar installer with FAQ and pricing", "sections"),
    }  # fmt: skip
    for name, (prompt, parts) in asked.items():
        before = await balance(api)
        answer = await api.ok("POST", f"/ai/generate-{name}", {"prompt": prompt, "persist": False, "name": "Mine"})
        assert (answer["name"], answer["persisted"]) == ("Mine", False)
        assert len(answer[parts]) >= 3
        assert await balance(api) == before - answer["credits_charged"]
    assert api.workspace.store.all("whiteboard_template") == []


async def test_a_generated_form_is_wired_to_the_crm_and_to_custom_fields() -> None:
    answer = await make().ok(
        "POST", "/ai/generate-form", {"prompt": "Quote form with phone, ABN and roof type", "persist": False}
    )
    wired = {f["label"]: f["content"].get("crm_variable") for f in answer["fields"]}
    assert (wired["Email"], wired["ABN"], wired["Roof type"]) == (
        "contact.email",
        "account.tax_number",
        "deal.metadata.cf_roof_type",
    )


async def test_a_whiteboard_is_kept_with_its_shapes() -> None:
    api = make()
    answer = await api.ok("POST", "/ai/generate-whiteboard", {"prompt": "lead, then quote, then install"})
    template = api.workspace.store.get("whiteboard_template", answer["template_id"])
    snapshot = api.workspace.store.get("whiteboard_snapshot", answer["snapshot_id"])
    assert template is not None
    assert snapshot is not None
    assert snapshot["template_id"] == template["id"]
    assert [e["type"] for e in snapshot["elements"]].count("arrow") == 2


@pytest.mark.skipif("create_form_template" not in HANDLERS, reason="the forms are served by another module")
async def test_a_generated_form_is_made_through_the_forms_own_endpoints_and_filled() -> None:
    api = make()
    answer = await api.ok("POST", "/ai/generate-form", {"prompt": "Contact form with phone", "folder": "Sales"})
    folders = {f["name"]: f["id"] for f in await api.get("/forms/folders")}
    assert (await api.get(f"/forms/templates/{answer['template_id']}"))["folder_id"] == folders["Sales"]
    await api.ok("POST", "/ai/generate-form", {"prompt": "A form", "folder": "Fresh"})
    assert "Fresh" in {f["name"] for f in await api.get("/forms/folders")}
    fields = await api.get(f"/forms/templates/{answer['template_id']}/fields")
    assert {"Full name", "Email", "Phone"} <= {f["label"] for f in fields}
    body = {"template_id": answer["template_id"], "prompt": "For customer named Ann Lee, ann@lee.example, 0412 345 678"}
    filled = (await api.ok("POST", "/ai/fill-form", body))["by_label"]
    assert (filled["Email"], filled["Phone"]) == ("ann@lee.example", "+61412345678")


@pytest.mark.skipif("create_document_template" not in HANDLERS, reason="the documents are served by another module")
async def test_a_generated_document_is_made_through_the_templates_own_endpoints() -> None:
    api = make()
    answer = await api.ok("POST", "/ai/generate-document", {"prompt": "A contract to sign"})
    sections = await api.get(f"/document-templates/{answer['template_id']}/sections")
    assert [s["type"] for s in sections] == [s["type"] for s in answer["sections"]]


@pytest.mark.skipif("create_website" not in HANDLERS, reason="the websites are served by another module")
async def test_a_generated_website_is_made_through_the_websites_own_endpoints() -> None:
    api = make()
    answer = await api.ok("POST", "/ai/generate-website-page", {"prompt": "Solar installer with FAQ"})
    path = f"/websites/{answer['website_id']}/pages/{answer['page_id']}/sections"
    assert [(s["type"], s["content"]) for s in await api.get(path)] == [(s["type"], s["content"]) for s in answer["sections"]]
    page = await api.ok("POST", "/ai/generate-website-page", {"prompt": "Our services", "page_type": "page"})
    made = await api.get(f"/websites/{page['website_id']}/pages/{page['page_id']}")
    assert (made["page_type"], made["slug"]) == ("page", "page")


async def test_without_pillow_a_picture_is_refused_saying_what_to_install_and_nothing_is_charged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = make()
    before = await balance(api)
    monkeypatch.setitem(sys.modules, "PIL", None)
    error = await api.error("POST", "/ai/generate-image", {"prompt": "a roof"}, status=501)
    assert "trustpager-mcp[sandbox]" in error["message"]
    assert await balance(api) == before


async def test_ai_endpoints_need_the_scope() -> None:
    error = await make("tp_live_sandbox_sales").error("POST", "/ai/edit-text", {"text": "a", "instruction": "b"}, status=403)
    assert error["details"]["missing_scopes"] == ["ai:use"]
