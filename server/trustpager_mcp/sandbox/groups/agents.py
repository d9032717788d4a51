"""AI agents: voice agents with draft and live configuration, and text agents."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from ..engine import Answer, Call, Handler, change, clear_references, everything
from ..errors import ApiError, invalid
from ..ordered import named
from ..seed import Seeder
from ..store import Record
from .voices import resolve

SETTINGS = (
    "voice_id", "voice_model", "language", "fallback_voice_ids", "voice_speed", "voice_temperature", "volume", "responsiveness",
    "interruption_sensitivity", "enable_backchannel", "backchannel_frequency", "normalize_for_speech", "max_call_duration_ms",
    "end_call_after_silence_ms", "reminder_trigger_ms", "reminder_max_count", "ambient_sound", "ambient_sound_volume",
    "data_storage_setting",
)  # fmt: skip
_OWN = {"voice": ("agent_name", "language", "voice_id"), "text": ("name",)}
_DEFAULT_FLOW: Record = {
    "global_prompt": "You answer for FinalPiece. Be brief and friendly, find out what the caller needs and offer a call back.",
    "start_node_id": "greeting",
    "nodes": [
        {"id": "greeting", "type": "conversation", "instruction": {"type": "prompt", "text": "Greet {{customer_name}} and ask."}},
        {"id": "goodbye", "type": "end", "instruction": {"type": "prompt", "text": "Say goodbye."}},
    ],
    "default_dynamic_variables": {"customer_name": "there"},
    "knowledge_base_ids": ["knowledge_base_finalpiece"],
}
_DEFAULT_SETTINGS: Record = {
    "voice_id": "11labs-Adrian", "language": "en-AU", "voice_speed": 1.0, "responsiveness": 1.0, "interruption_sensitivity": 0.9,
    "max_call_duration_ms": 900_000, "end_call_after_silence_ms": 30_000,
}  # fmt: skip


def provider_id() -> str:
    """A name of the voice provider's kind."""
    return f"agent_{uuid4().hex[:24]}"


def is_provisioned(agent: Record) -> bool:
    return str(agent["agent_id"]).startswith("agent_")


def voice_agent(call: Call, wire: str = "id") -> Record:
    """The voice agent that the path names. Raises 404, or VALIDATION_ERROR for a text agent."""
    agent = call.must("agent", call.ids[wire])
    if agent["type"] != "voice":
        raise invalid(f"agent {agent['id']} is a text agent; this is for voice agents only")
    return agent


def provisioned(agent: Record) -> Record:
    """The agent itself. Raises VALIDATION_ERROR when the provider does not know it."""
    if not is_provisioned(agent):
        raise invalid(f"agent {agent['id']} is not registered with the voice provider; provision it first")
    return agent


def variables(agent: Record) -> Record:
    """What the live flow expects at the start of a call, with its defaults; those without one are null."""
    flow = agent["published_flow"] or agent["conversation_flow"] or {}
    named = re.findall(r"\{\{\s*(\w+)\s*\}\}", str(flow.get("global_prompt") or "") + str(flow.get("nodes") or ""))
    given = flow.get("default_dynamic_variables")
    return {**dict.fromkeys(named), **(given if isinstance(given, dict) else {})}


def view(call: Call, agent: Record) -> Record:
    """An agent as the API shows it: a voice agent with its numbers and variables."""
    if agent["type"] == "text":
        return agent
    lines = {
        way: [
            n["phone_number"] for n in reversed(call.store.all("phone_number", **{f"{way}_voice_agent_config_id": agent["id"]}))
        ]
        for way in ("inbound", "outbound")
    }
    return {**agent, "phone_numbers": lines, "default_dynamic_variables": variables(agent)}


def _numbers(call: Call, **assigned: str) -> list[str]:
    return [n["phone_number"] for n in reversed(call.store.all("phone_number", **assigned))]


def _create(call: Call) -> Answer:
    body = call.body
    if body["type"] == "text":
        _own_fields(body, "text")
        record = call.fresh({"type": "text", "name": body["name"], "status": "active", "instructions": None})
        call.store.add("agent", [record])
        return Answer(record, status=201)
    _own_fields(body, "voice")
    voice = body.get("voice_id")
    settings = {**_DEFAULT_SETTINGS, "language": body.get("language", "en-US")}
    record = call.fresh({
        "type": "voice", "agent_name": body["agent_name"], "agent_id": provider_id(), "language": settings["language"],
        "voice_id": voice, **_voice(call, voice), "status": "draft", "version": 0, "conversation_flow": None,
        "published_flow": None, "settings": {**settings, "voice_id": _voice(call, voice)["retell_voice_id"]},
        "published_settings": None, "has_unpublished_changes": True, "last_published_at": None,
        "last_synced_at": call.clock.iso(),
    })  # fmt: skip
    call.store.add("agent", [record])
    return Answer(view(call, record), status=201)


def _voice(call: Call, voice_id: str | None) -> Record:
    """The provider's voice for a local or provider id, or the fallback, and whether it is that."""
    found = resolve(call.store, voice_id)
    return {"retell_voice_id": found or _DEFAULT_SETTINGS["voice_id"], "uses_fallback_voice": voice_id is not None and not found}


def _own_fields(body: Record, kind: str) -> None:
    named(body, "agent_name", "name")
    foreign = [name for name in body if name not in (*_OWN[kind], "type")]
    if foreign:
        raise invalid(f"{', '.join(foreign)}: not a field of {kind} agents, which have {', '.join(_OWN[kind])}", field=foreign[0])


def _update(call: Call) -> Answer:
    agent = call.must("agent")
    changes = dict(call.body)
    _own_fields(changes, agent["type"])
    if agent["type"] == "voice" and {"voice_id", "language"} & set(changes):
        if "voice_id" in changes:
            changes |= _voice(call, changes["voice_id"])
        new = {"language": changes.get("language"), "voice_id": changes.get("retell_voice_id")}
        changes["settings"] = {**agent["settings"], **{k: v for k, v in new.items() if v}}
        changes["has_unpublished_changes"] = True
    return Answer(view(call, change(call, "agent", agent, changes)))


def _delete(call: Call) -> Answer:
    """Its numbers answer no more; its configs go with it, its calls stay on record."""
    agent = call.must("agent")
    clear_references(
        call, agent["id"],
        ("phone_number", "inbound_voice_agent_config_id"), ("phone_number", "outbound_voice_agent_config_id"),
    )  # fmt: skip
    for kind in ("agent_website_config", "agent_outbound_config", "agent_response"):
        for record in call.store.all(kind, agent_id=agent["id"]):
            call.store.delete(kind, record["id"])
    call.store.delete("agent", agent["id"])
    return Answer(status=204)


def _draft(call: Call, agent: Record, **changes: Any) -> Answer:
    return Answer(view(call, change(call, "agent", agent, {**changes, "has_unpublished_changes": True})))


def _update_flow(call: Call) -> Answer:
    agent, flow = provisioned(voice_agent(call)), call.body["flow"]
    if not isinstance(flow.get("nodes"), list) or not flow["nodes"]:
        raise invalid("flow must be the whole conversation flow; flow.nodes is missing or empty", field="flow.nodes")
    return _draft(call, agent, conversation_flow=flow)


def _update_settings(call: Call) -> Answer:
    agent, given = provisioned(voice_agent(call)), call.body["settings"]
    if unknown := set(given) - set(SETTINGS):
        message = f"settings: unknown {', '.join(sorted(unknown))}; accepted are {', '.join(SETTINGS)}"
        raise invalid(message, field=f"settings.{min(unknown)}")
    own = {"language": given["language"]} if "language" in given else {}
    if "voice_id" in given:
        own |= {"voice_id": given["voice_id"], **_voice(call, given["voice_id"])}
        given = {**given, "voice_id": own["retell_voice_id"]}
    return _draft(call, agent, settings={**agent["settings"], **given}, **own)


def _sync(call: Call) -> Answer:
    agent = provisioned(voice_agent(call))
    return Answer(view(call, change(call, "agent", agent, {"last_synced_at": call.clock.iso()})))


def _publish(call: Call) -> Answer:
    agent = provisioned(voice_agent(call))
    if not (agent["conversation_flow"] or {}).get("nodes"):
        raise invalid("the agent has no conversation flow yet; save one with update-flow, then publish")
    live = {"published_flow": agent["conversation_flow"], "published_settings": agent["settings"], "status": "published"}
    marks = {"version": agent["version"] + 1, "has_unpublished_changes": False, "last_published_at": call.clock.iso()}
    return Answer(view(call, change(call, "agent", agent, {**live, **marks})))


def _provision(call: Call) -> Answer:
    agent = voice_agent(call)
    if is_provisioned(agent):
        raise ApiError(409, "CONFLICT", f"agent {agent['id']} is already provisioned as {agent['agent_id']}")
    voice = _voice(call, agent["voice_id"])
    changes = {"agent_id": provider_id(), **voice, "last_synced_at": call.clock.iso()}
    settings = {**agent["settings"], "voice_id": voice["retell_voice_id"]}
    return Answer(view(call, change(call, "agent", agent, {**changes, "settings": settings})))


def _apply_template(call: Call) -> Answer:
    agent = provisioned(voice_agent(call))
    flow, settings = _DEFAULT_FLOW, _DEFAULT_SETTINGS
    voice: Record = {"voice_id": settings["voice_id"], **_voice(call, settings["voice_id"])}
    if source_id := call.body.get("source_agent_id"):
        source = call.store.get("agent", source_id)
        if source is None or source["type"] != "voice":
            raise invalid(f"source_agent_id: there is no voice agent {source_id}", field="source_agent_id")
        if source["id"] == agent["id"]:
            raise invalid("source_agent_id is the agent itself", field="source_agent_id")
        if not source["conversation_flow"]:
            raise invalid(f"source_agent_id: agent {source_id} has no conversation flow to copy", field="source_agent_id")
        flow, settings = source["conversation_flow"], source["settings"]
        voice = {name: source[name] for name in ("voice_id", "retell_voice_id", "uses_fallback_voice")}
    return _draft(call, agent, conversation_flow=flow, settings=settings, language=settings["language"], **voice)


def _listed(call: Call) -> Answer:
    return everything([view(call, a) for a in call.store.all("agent", type=call.query["type"])])


def _config(call: Call, kind: str) -> Record:
    agent = voice_agent(call)
    config = call.must(kind, call.ids["configId"])
    if config["agent_id"] != agent["id"]:
        raise ApiError(404, "NOT_FOUND", f"agent {agent['id']} has no {kind.replace('_', ' ')} {config['id']}")
    return config


def _check_website(call: Call, kind: str, agent_id: str, own_id: str | None = None) -> None:
    website_id = call.body.get("website_id")
    call.reference("website", website_id, "website_id")
    for other in call.store.all(kind, agent_id=agent_id):
        if website_id is not None and other["website_id"] == website_id and other["id"] != own_id:
            raise ApiError(409, "CONFLICT", f"the agent already has a config for website {website_id}")


def _configs(kind: str, word: str) -> dict[str, Handler]:
    """The four endpoints of an agent's configs of one kind."""

    def create(call: Call) -> Answer:
        agent = voice_agent(call)
        _check_website(call, kind, agent["id"])
        record = call.fresh({"agent_id": agent["id"], "voice_agent_id": agent["id"], "is_active": True, **call.body})
        call.store.add(kind, [record])
        return Answer(record, status=201)

    def update(call: Call) -> Answer:
        config = _config(call, kind)
        _check_website(call, kind, config["agent_id"], config["id"])
        return Answer(change(call, kind, config, call.body))

    def delete(call: Call) -> Answer:
        call.store.delete(kind, _config(call, kind)["id"])
        return Answer(status=204)

    return {
        f"list_agent_{word}_configs": lambda c: everything(c.store.all(kind, agent_id=voice_agent(c)["id"])),
        f"create_agent_{word}_config": create,
        f"update_agent_{word}_config": update,
        f"delete_agent_{word}_config": delete,
    }


def _responses(call: Call) -> Answer:
    agent = call.must("agent")
    if agent["type"] != "text":
        raise invalid(f"agent {agent['id']} is a voice agent; responses are written by text agents only")
    return everything(call.store.all("agent_response", agent_id=agent["id"]))


HANDLERS: dict[str, Handler] = {
    "list_agents": _listed,
    "get_agent": lambda c: Answer(view(c, c.must("agent"))),
    "create_agent": _create,
    "update_agent": _update,
    "delete_agent": _delete,
    "sync_voice_agent": _sync,
    "update_voice_agent_flow": _update_flow,
    "update_voice_agent_settings": _update_settings,
    "publish_voice_agent": _publish,
    "provision_voice_agent": _provision,
    "apply_voice_agent_template": _apply_template,
    "list_agent_responses": _responses,
    **_configs("agent_website_config", "website"),
    **_configs("agent_outbound_config", "outbound"),
}

_AGENTS = (
    ("Olivia, reception", "Greet {{customer_name}}, find out what they need and book a site visit."),
    ("Max, quote follow-up", "Ask {{customer_name}} whether the quote for {{job}} raises any questions."),
    ("Ivy, after hours", "Take a message and say when the office opens."),
)
_REPLIES = (
    ("Do you install on Saturdays?", "Yes, in Sydney and Newcastle. Shall I ask the team for the next Saturday?"),
    ("How long is the battery warranty?", "Ten years on the cells and five on the inverter."),
    ("Can I pay in instalments?", "Yes, over 24 or 36 months through our finance partner."),
)


def seed(s: Seeder) -> None:
    agents = []
    for place, (name, prompt) in enumerate(_AGENTS):
        flow = {
            "global_prompt": prompt, "start_node_id": "start", "knowledge_base_ids": [],
            "nodes": [{"id": "start", "type": "conversation", "instruction": {"type": "prompt", "text": prompt}}],
            "default_dynamic_variables": {"customer_name": "there"},
        }  # fmt: skip
        orphan = place == 2
        agent_id = s.id() if orphan else "agent_" + s.id().replace("-", "")[:24]
        agents.append(
            s.record(
                250 - place * 40, type="voice", agent_name=name, agent_id=agent_id,
                language="en-AU", voice_id="11labs-Adrian", retell_voice_id="11labs-Adrian", uses_fallback_voice=False,
                status="draft" if orphan else "published", version=0 if orphan else 3, conversation_flow=None if orphan else flow,
                published_flow=None if orphan else flow, settings=_DEFAULT_SETTINGS,
                published_settings=None if orphan else _DEFAULT_SETTINGS, has_unpublished_changes=orphan,
                last_published_at=None if orphan else s.time(20), last_synced_at=None if orphan else s.time(20),
            )
        )  # fmt: skip
    text = s.record(
        180, type="text", name="Website chat", status="active", instructions="Answer questions about solar and batteries."
    )
    s.store.add("agent", [*agents, text])
    s.store.add("agent_response", [
        s.record(30 - i, agent_id=text["id"], channel="website_chat", message=question, response=answer)
        for i, (question, answer) in enumerate(_REPLIES * 4)
    ])  # fmt: skip
    main, melbourne = (
        next(n for n in s.store.all("phone_number") if n["friendly_name"] == f) for f in ("Main line", "Melbourne line")
    )
    s.store.save("phone_number", {**main, "inbound_voice_agent_config_id": agents[0]["id"], "retell_last_synced_at": s.time(20)})
    s.store.save(
        "phone_number", {**melbourne, "outbound_voice_agent_config_id": agents[1]["id"], "retell_last_synced_at": s.time(20)}
    )
    websites = s.store.all("website")
    website_id = websites[-1]["id"] if websites else s.id()
    for kind, agent in (("agent_website_config", agents[0]), ("agent_outbound_config", agents[1])):
        s.store.add(kind, [s.record(60, agent_id=agent["id"], voice_agent_id=agent["id"], website_id=website_id, is_active=True)])
