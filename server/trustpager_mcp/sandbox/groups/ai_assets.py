"""AI that makes things: pictures, speech, and forms, documents, whiteboards and websites from a prompt."""

from __future__ import annotations

import math
import re
from typing import Any
from urllib.parse import urlsplit

from .. import images, speech, stored_files
from ..content import of_url, put
from ..engine import Answer, Call, Handler
from ..errors import invalid
from ..pricing import credits
from ..store import Record
from .ai import answered

_PAIRS = (
    (1024, 1024), (1248, 832), (832, 1248), (1184, 864), (864, 1184), (896, 1152), (1152, 896), (768, 1344), (1344, 768),
    (1536, 672), (672, 1536),
)  # fmt: skip
_PRESETS = ("jessica", "rachel", "adam", "sam")
_AUDIO_FORMAT = "mp3_44100_128"


def _saved(call: Call, content: bytes, media_type: str, name: str, kind: str) -> Record:
    """The bytes under a link, and in the company's files."""
    url = put(call.world, content, media_type, name)
    record = call.fresh(
        {"type": kind, "name": name, "mime_type": media_type, "file_size": len(content), "url": url, "folder": "AI"}
    )
    call.store.add("file", [record])
    stored_files.put(call.store, record["id"], content)
    return record


def _picture(call: Call, content: bytes, output_format: str, **fields: Any) -> Answer:
    media_type = images.MEDIA_TYPES[output_format]
    file = _saved(call, content, media_type, f"ai-image.{output_format.lower()}", "image")
    return answered(
        image_url=file["url"], file_id=file["id"], output_format=output_format, **fields, credits_charged=credits("ai_image")
    )


def _size(body: Record) -> tuple[int, int]:
    """The asked size. Raises VALIDATION_ERROR with all that there are."""
    pair = (body.get("width", 1024), body.get("height", 1024))
    if pair not in _PAIRS:
        valid = ", ".join(f"{w}x{h}" for w, h in _PAIRS)
        raise invalid(
            f"{pair[0]}x{pair[1]} is no valid size; take one of {valid}", field="width", valid_dimensions=valid.split(", ")
        )
    return pair


def _check_size(body: Record) -> None:
    """Before the definition is asked: it knows the single numbers, not which of them go together."""
    if all(isinstance(body.get(name, 1024), int) for name in ("width", "height")):
        _size(body)


def _painted(call: Call, prompt: str, **fields: Any) -> Answer:
    width, height = _size(call.body)
    output_format = call.body.get("output_format", "PNG")
    seed = call.body.get("seed", images.seed_of(prompt))
    call.world.charge(credits("ai_image"), "ai_image")
    content = images.paint(prompt, width, height, seed, output_format)
    return _picture(call, content, output_format, seed=seed, width=width, height=height, **fields)


def _edit_image(call: Call) -> Answer:
    """Nothing is fetched from elsewhere: the picture is painted from the prompt and the references' addresses."""
    references = call.body.get("reference_image_urls") or [call.body["reference_image_url"]]
    for i, url in enumerate(references):
        _check_public(url, f"reference_image_urls.{i}" if len(references) > 1 else "reference_image_url")
    return _painted(call, f"{call.body['prompt']} ({len(references)} reference)", reference_image_urls=references)


def _check_public(url: str, name: str) -> None:
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise invalid(f"{name} must be a public http(s) URL", field=name)


def _upscale(call: Call) -> Answer:
    url, factor = call.body["image_url"], call.body.get("upscale_factor", 2)
    output_format = call.body.get("output_format", "PNG")
    call.world.charge(credits("ai_image"), "ai_image")
    content, width, height = images.enlarge(of_url(call.world, url), factor, output_format, url)
    return _picture(call, content, output_format, width=width, height=height, upscale_factor=factor, source_image_url=url)


def _voice(call: Call, named: str | None) -> Record:
    """Workspace voices by name (the default one where none is named), then platform voices, presets, a provider's own id."""
    wanted = named or "jessica"
    voices = call.store.all("voice")
    known = [v for v in voices if wanted.lower() in (v["name"].lower(), v["id"], v["provider_voice_id"].lower())]
    known.sort(key=lambda v: v["source"] == "platform")
    if found := [*([] if named else (v for v in voices if v["is_default"])), *known]:
        return {k: found[0][k] for k in ("name", "source", "id")}
    return {"name": wanted, "source": "preset" if wanted.lower() in _PRESETS else "provider_voice_id", "id": None}


def _speech(call: Call) -> Answer:
    body = call.body
    text, output_format = body["text"], body.get("output_format", _AUDIO_FORMAT)
    if output_format != _AUDIO_FORMAT:
        raise invalid(f"the sandbox makes {_AUDIO_FORMAT} only", field="output_format")
    cost = max(credits("ai_speech"), credits("ai_speech") * math.ceil(len(text) / 100))
    call.world.charge(cost, "ai_speech")
    content = speech.mp3(text)
    name = _file_name(body.get("name") or "speech", "mp3")
    file = _saved(call, content, "audio/mpeg", name, "document")
    mode = body.get("transcript", "none")
    timing = {"transcript": speech.timed(text, mode), "transcript_mode": mode} if mode != "none" else {}
    return answered(
        audio_url=file["url"], file_id=file["id"], name=name, duration_seconds=round(speech.seconds(text), 2),
        characters=len(text), file_size=len(content), voice=_voice(call, body.get("voice")),
        output_format=output_format, **timing,
        credits_charged=cost,
    )  # fmt: skip


def _file_name(name: str, extension: str) -> str:
    plain = re.sub(r"[^\w. -]", "", name).strip() or "file"
    return plain if plain.endswith(f".{extension}") else f"{plain}.{extension}"


def _title(prompt: str, override: str | None) -> str:
    return (
        override
        or " ".join(re.sub(r"^(?:a|an|the)\s+", "", prompt.strip(), flags=re.IGNORECASE).split()[:6]).rstrip(".,;:").capitalize()
    )


def _create(call: Call, tool: str, ids: dict[str, str], body: Record) -> Record:
    """A record made through its own endpoint, with the workspace's rights: what AI makes obeys the same rules."""
    made: Record = call.world.run(tool, call.world.system, ids, {}, body).data
    return made


def _generated(call: Call, structure: Record, made: Record | None) -> Answer:
    cost = credits("ai_tool_generate")
    call.world.charge(cost, "ai_tool_generate")
    return answered(**structure, persisted=made is not None, **(made or {}), credits_charged=cost)


_FIELDS = (
    ("Full name", "text", "contact.first_name", r""), ("Email", "text", "contact.email", r""),
    ("Phone", "text", "contact.phone", r"phone|call|mobile|contact"),
    ("Company", "text", "account.name", r"company|business|b2b"), ("ABN", "text", "account.tax_number", r"abn|tax|invoice"),
    ("Date", "date", None, r"date|incident|book|visit|when"),
    ("Details", "textarea", "deal.notes", r"detail|describe|incident|feedback|notes|quote"),
    ("I agree", "checkbox", None, r"agree|consent|terms|sign"),
)  # fmt: skip


def _form(call: Call) -> Answer:
    body = call.body
    prompt, name = body["prompt"], _title(body["prompt"], body.get("name"))
    defined: Record = call.store.all("company_settings")[0]["custom_fields"]
    custom = [
        (f["label"], "text", f"{entity}.metadata.{f['id']}", re.escape(f["label"]))
        for entity, fields in defined.items()
        for f in fields
    ]
    fields = [
        {"label": label, "type": kind, "is_required": i < 2, "order_index": i, "step_number": 1,
         "content": {"crm_variable": variable} if variable else {}}
        for i, (label, kind, variable, when) in enumerate(_FIELDS + tuple(custom))
        if re.search(when, prompt, re.IGNORECASE)
    ]  # fmt: skip
    made: Record | None = None
    if body.get("persist", True):
        template = _create(call, "create_form_template", {}, {"name": name, "description": prompt})
        if body.get("folder"):
            _put_in_folder(call, template["id"], body["folder"])
        created = [_create(call, "create_form_field", {"id": template["id"]}, f) for f in fields]
        made = {"template_id": template["id"], "field_ids": [f["id"] for f in created]}
    return _generated(call, {"name": name, "folder": body.get("folder"), "fields": fields}, made)


def _put_in_folder(call: Call, template_id: str, name: str) -> None:
    """Into the folder of that name, which is made where there is none."""
    folder = next(iter(call.store.all("form_folder", name=name)), None) or _create(call, "create_form_folder", {}, {"name": name})
    call.store.save("form_template", {**call.must("form_template", template_id), "folder_id": folder["id"]})


def _document(call: Call) -> Answer:
    body = call.body
    prompt, name = body["prompt"], _title(body["prompt"], body.get("name"))
    sections: list[Record] = [
        {"type": "cover-page", "content": {"title": name, "subtitle": "Prepared for {{contact.first_name}}"}},
        {"type": "text-block", "content": {"title": "About this document", "text": prompt}},
        {"type": "text-block", "content": {"title": "What we propose", "text": "{{company.name}} does this for {{deal.name}}."}},
    ]  # fmt: skip
    if re.search(r"price|quote|invoice|proposal|cost", prompt, re.IGNORECASE):
        sections.append(
            {"type": "table", "content": {"columns": ["Item", "Price"], "rows": [["{{deal.name}}", "{{deal.value}}"]]}}
        )
    if re.search(r"sign|contract|agree|proposal", prompt, re.IGNORECASE):
        sections.append({"type": "signature-block", "content": {"label": "{{contact.first_name}}"}})
    sections = [{**section, "order_index": i} for i, section in enumerate(sections)]
    made: Record | None = None
    if body.get("persist", True):
        template = _create(call, "create_document_template", {}, {"name": name})
        created = [_create(call, "create_document_template_section", {"id": template["id"]}, s) for s in sections]
        made = {"template_id": template["id"], "section_ids": [s["id"] for s in created]}
    return _generated(call, {"name": name, "sections": sections}, made)


def _whiteboard(call: Call) -> Answer:
    """Boxes from left to right with arrows between: the parts that the prompt lists."""
    body = call.body
    name = _title(body["prompt"], body.get("name"))
    parts = [p.strip() for p in re.split(r",|;|→|->|\bthen\b|\band\b|\n", body["prompt"]) if p.strip()][:12]
    boxes: list[Record] = [
        {"id": f"box-{i}", "type": "rectangle", "x": i * 240, "y": 0, "width": 200, "height": 80, "backgroundColor": "#fde68a",
         "strokeColor": "#92400e", "label": {"text": part}}
        for i, part in enumerate(parts)
    ]  # fmt: skip
    arrows: list[Record] = [
        {"id": f"arrow-{i}", "type": "arrow", "x": i * 240 + 200, "y": 40, "width": 40, "height": 0, "strokeColor": "#92400e",
         "start": {"id": f"box-{i}"}, "end": {"id": f"box-{i + 1}"}}
        for i in range(len(parts) - 1)
    ]  # fmt: skip
    elements = boxes + arrows
    made: Record | None = None
    if body.get("persist", True):
        template = call.fresh({"name": name, "prompt": body["prompt"]})
        snapshot = call.fresh({"template_id": template["id"], "elements": elements})
        call.store.add("whiteboard_template", [template])
        call.store.add("whiteboard_snapshot", [snapshot])
        made = {"template_id": template["id"], "snapshot_id": snapshot["id"]}
    return _generated(call, {"name": name, "elements": elements}, made)


def _website(call: Call) -> Answer:
    body = call.body
    name, page_type = _title(body["prompt"], body.get("name")), body.get("page_type", "homepage")
    kinds = ["hero", "social-proof", "features"]
    for kind in ("pricing", "faq", "gallery", "team"):
        if kind in body["prompt"].lower():
            kinds.append(kind)
    sections = [{"type": kind, "content": {"heading": f"{name}: {kind.replace('-', ' ')}"}} for kind in [*kinds, "cta"]]
    made: Record | None = None
    if body.get("persist", True):
        website = _create(call, "create_website", {}, {"name": name})
        page = {"title": name, "slug": "home" if page_type == "homepage" else "page", "page_type": page_type}
        page_id = _create(call, "create_website_page", {"id": website["id"]}, page)["id"]
        ids = {"id": website["id"], "pageId": page_id}
        created = [_create(call, "create_website_section", ids, {"type": s["type"]}) for s in sections]
        for section, generated in zip(created, sections, strict=True):
            kept = call.must("website_section", section["id"])
            call.store.save("website_section", {**kept, "content": generated["content"]})
        made = {"website_id": website["id"], "page_id": page_id, "section_ids": [s["id"] for s in created]}
    return _generated(call, {"name": name, "page_type": page_type, "sections": sections}, made)


CHECKS = {"generate_image_with_ai": _check_size, "edit_image_with_ai": _check_size}
HANDLERS: dict[str, Handler] = {
    "generate_image_with_ai": lambda c: _painted(c, c.body["prompt"]),
    "edit_image_with_ai": _edit_image,
    "upscale_image_with_ai": _upscale,
    "generate_speech_with_ai": _speech,
    "generate_form_with_ai": _form,
    "generate_document_with_ai": _document,
    "generate_whiteboard_with_ai": _whiteboard,
    "generate_website_page_with_ai": _website,
}
