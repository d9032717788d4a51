"""Speaking voices: the workspace's and the platform's, and which provider voice stands for each."""

from __future__ import annotations

from typing import Any

from ..engine import Answer, Call, Handler, change, everything
from ..errors import ApiError, invalid, not_found
from ..ordered import named
from ..seed import Seeder
from ..store import Record, Store

_PREVIEWS = "https://voices.sandbox.example"
CATALOG: tuple[Record, ...] = tuple(
    {
        "voice_id": f"{prefix}-{name}", "name": name, "provider": provider, "accent": accent, "gender": gender,
        "preview_url": f"{_PREVIEWS}/{prefix}-{name}.mp3",
    }
    for prefix, provider, name, accent, gender in (
        ("11labs", "elevenlabs", "Adrian", "American", "male"), ("11labs", "elevenlabs", "Noah", "Australian", "male"),
        ("11labs", "elevenlabs", "Matilda", "Australian", "female"), ("11labs", "elevenlabs", "Charlie", "Australian", "male"),
        ("11labs", "elevenlabs", "Amy", "British", "female"), ("11labs", "elevenlabs", "Anthony", "British", "male"),
        ("11labs", "elevenlabs", "Jessica", "American", "female"), ("11labs", "elevenlabs", "Grace", "American", "female"),
        ("openai", "openai", "Alloy", "American", "female"), ("openai", "openai", "Nova", "American", "female"),
        ("deepgram", "deepgram", "Angus", "Irish", "male"), ("deepgram", "deepgram", "Luna", "American", "female"),
    )
)  # fmt: skip
_DIRECTORY = {
    "pNInz6obpgDQGcFmaJgB": "Adrian", "EXAVITQu4vr4xnSDxMaL": "Sophie", "XrExE9yKIg1WjnnlVkGX": "Matilda",
    "IKne3meq5aSn9XLyUdCM": "Charlie", "cgSgspJ2msm6clMCkdW9": "Jessica",
}  # fmt: skip
"""What ElevenLabs calls some of its voices."""


def resolve(store: Store, voice_id: str | None) -> str | None:
    """The provider's voice for its own id, a local voice's id or an ElevenLabs id; None when nothing is mapped."""
    if voice_id is None or any(v["voice_id"] == voice_id for v in CATALOG):
        return voice_id
    local = store.get("voice", voice_id) or next(iter(store.all("voice", provider_voice_id=voice_id)), None)
    return local["retell_voice_id"] if local else None


def _own(call: Call) -> Record:
    """The workspace's voice of the path; platform voices are not found here."""
    voice = call.must("voice")
    if voice["source"] != "workspace":
        raise not_found("workspace voice", voice["id"])
    return voice


def _listed(call: Call) -> Answer:
    voices = call.store.all("voice")
    own = [v for v in voices if v["source"] == "workspace"]
    platform = sorted((v for v in voices if v["source"] == "platform"), key=lambda v: int(v["sort_order"]))
    return everything([*own, *platform])


def _only_default(call: Call, voice: Record) -> None:
    for other in call.store.all("voice", is_default=True):
        if other["id"] != voice["id"]:
            call.store.save("voice", {**other, "is_default": False})


def _save(call: Call) -> Answer:
    body: dict[str, Any] = {k: v for k, v in named(call.body, "name").items() if v is not None}
    provider_voice_id = body["provider_voice_id"].strip()
    if not provider_voice_id:
        raise invalid("provider_voice_id must not be empty", field="provider_voice_id")
    for other in call.store.all("voice", provider_voice_id=provider_voice_id):
        if other["source"] == "workspace":
            raise ApiError(409, "CONFLICT", f"voice {provider_voice_id} is already saved as {other['name']} ({other['id']})")
    defaults = {
        "name": _DIRECTORY.get(provider_voice_id, f"Voice {provider_voice_id[:6]}"), "description": None,
        "model": "eleven_multilingual_v2", "settings": {"stability": 0.5, "similarity_boost": 0.75, "style": 0.0},
        "is_default": False, "provider": "elevenlabs", "retell_voice_id": None, "source": "workspace",
        "preview_url": f"{_PREVIEWS}/{provider_voice_id}.mp3",
    }  # fmt: skip
    voice = call.fresh({**defaults, **body, "provider_voice_id": provider_voice_id})
    call.store.add("voice", [voice])
    if voice["is_default"]:
        _only_default(call, voice)
    return Answer(voice, status=201)


def _update(call: Call) -> Answer:
    voice = change(call, "voice", _own(call), named(call.body, "name"))
    if voice["is_default"]:
        _only_default(call, voice)
    return Answer(voice)


def _delete(call: Call) -> Answer:
    call.store.delete("voice", _own(call)["id"])
    return Answer(status=204)


def _map(call: Call) -> Answer:
    voice, wanted = call.must("voice"), call.body.get("retell_voice_id")
    if wanted is not None and not any(v["voice_id"] == wanted for v in CATALOG):
        raise invalid(
            f"retell_voice_id: the provider has no voice {wanted}; see GET /voices/provider-catalog", field="retell_voice_id"
        )
    return Answer(change(call, "voice", voice, {"retell_voice_id": wanted}))


def _sync(call: Call) -> Answer:
    """Same provider, same name; voices that have a mapping keep it unless force says otherwise."""
    voice_id = call.body.get("voice_id")
    voices = [call.must("voice", voice_id)] if voice_id else call.store.all("voice")
    results = []
    for voice in voices:
        found = next((v["voice_id"] for v in CATALOG if _same(v, voice)), None)
        if voice["retell_voice_id"] and not call.body.get("force"):
            outcome = "skipped"
        elif found is None:
            outcome = "unmatched"
        else:
            outcome = "matched"
            change(call, "voice", voice, {"retell_voice_id": found})
        mapped = found if outcome == "matched" else voice["retell_voice_id"]
        results.append({"voice_id": voice["id"], "name": voice["name"], "result": outcome, "retell_voice_id": mapped})
    counts = {word: sum(r["result"] == word for r in results) for word in ("matched", "skipped", "unmatched")}
    return Answer({**counts, "voices": results})


def _same(offered: Record, voice: Record) -> bool:
    return bool(offered["provider"] == voice["provider"] and offered["name"].lower() == voice["name"].lower())


HANDLERS: dict[str, Handler] = {
    "list_voices": _listed,
    "save_voice": _save,
    "get_voice": lambda c: Answer(_own(c)),
    "update_voice": _update,
    "delete_voice": _delete,
    "list_provider_voices": lambda _: everything([dict(v) for v in CATALOG]),
    "set_provider_voice_mapping": _map,
    "sync_provider_voices": _sync,
}


def seed(s: Seeder) -> None:
    settings = {"stability": 0.5, "similarity_boost": 0.75, "style": 0.0}
    shared = {"provider": "elevenlabs", "model": "eleven_multilingual_v2", "settings": settings, "preview_url": None}
    platform = [
        s.record(
            360, **shared, name=name, provider_voice_id=f"platform{i:02d}{name}", description=text, source="platform",
            sort_order=i, is_default=False, retell_voice_id="11labs-Jessica" if name == "Jessica" else None,
        )
        for i, (name, text) in enumerate((
            ("Jessica", "Warm and clear, for customer messages."), ("Matilda", "Friendly Australian, for reception."),
            ("Charlie", "Relaxed Australian, for follow-ups."), ("Sophie", "Calm, for longer texts."),
        ))
    ]  # fmt: skip
    own = s.record(
        90, **shared, name="Noah", provider_voice_id="nPczCjzI2devNBz1zQrb", description="The voice of our hold line.",
        source="workspace", is_default=True, retell_voice_id="11labs-Noah",
    )  # fmt: skip
    s.store.add("voice", [*platform, own])
