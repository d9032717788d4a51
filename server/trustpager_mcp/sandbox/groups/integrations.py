"""Connected platforms: queries and actions with plausible answers out of the workspace's own records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from .. import xero, xero_actions, xero_repeating
from ..engine import Answer, Call, Handler, everything
from ..errors import ApiError, invalid
from ..integration_params import checked
from ..seed import Seeder
from ..store import Record
from ..world import World

_PLATFORMS = ("xero", "slack", "facebook", "calcom", "zoom", "portant", "activecampaign")


def _platform(name: str) -> str:
    return name.split("_", 1)[0]


def _connected(call: Call, name: str, what: str, known: list[str]) -> Record:
    """The integration that the path names, when it is active and the query or action is one of its platform's."""
    integration = call.must("integration")
    if _platform(name) != integration["platform_type"]:
        own = ", ".join(k for k in known if _platform(k) == integration["platform_type"]) or "none"
        raise invalid(f"{name} is none of {integration['platform_type']}: it takes {own}", field=what)
    if integration["status"] != "active":
        state = integration["status"]
        raise ApiError(
            409, "INTEGRATION_INACTIVE", f"the integration is {state}; connect it again in the platform", {"status": state}
        )
    return integration


def _query(call: Call) -> Answer:
    name, params = call.body["query_type"], checked(call.body.get("params") or {})
    _connected(call, name, "query_type", list(_QUERIES))
    return Answer(_QUERIES[name](call.world, params))


def _act(call: Call) -> Answer:
    name, params = call.body["action_type"], checked(call.body["params"])
    integration = _connected(call, name, "action_type", list(_ACTIONS))
    result = _ACTIONS[name](call, params)
    call.store.save("integration", {**integration, "last_used_at": call.clock.iso()})
    return Answer({"success": True, "action_type": name, "result": result}, status=201 if "_create_" in name else 200)


def _needed(params: Record, *names: str) -> None:
    if missing := [n for n in names if not params.get(n)]:
        raise invalid(f"params.{missing[0]} is required", fields={f"params.{n}": "is required" for n in missing})


def _slack_users(world: World, _params: Record) -> Any:
    return {"users": [{"id": f"U{u['id'][:8].upper()}", "name": u["name"], "email": u["email"]} for u in world.store.all("user")]}


def _fixed(key: str, *rows: Record) -> Callable[[World, Record], Any]:
    return lambda _world, _params: {key: list(rows)}


def _kept(kind: str, key: str) -> Callable[[World, Record], Any]:
    return lambda world, _params: {key: world.store.all(kind)}


_CHANNELS = [{"id": f"C0{i}", "name": n} for i, n in enumerate(("general", "sales", "installs", "agent-alerts"), 1)]
_EVENT_TYPES: tuple[Record, ...] = ({"id": 1, "slug": "site-visit", "length": 60}, {"id": 2, "slug": "call", "length": 15})
_QUERIES: dict[str, Callable[[World, Record], Any]] = {
    **xero.QUERIES,
    "slack_channels": _fixed("channels", *_CHANNELS),
    "slack_users": _slack_users,
    "facebook_pages": _fixed("pages", {"id": "1001", "name": "Brightside Home Energy"}),
    "facebook_leadgen_forms": _fixed("forms", {"id": "2001", "name": "Solar quote", "status": "ACTIVE"}),
    "facebook_ad_accounts": _fixed("ad_accounts", {"id": "act_3001", "name": "Brightside", "currency": "AUD"}),
    "calcom_event_types": _fixed("event_types", *_EVENT_TYPES),
    "calcom_bookings": _kept("calcom_booking", "bookings"),
    "zoom_users": _slack_users,
    "zoom_meetings": _kept("zoom_meeting", "meetings"),
    "portant_templates": _fixed("templates", {"id": "tpl_1", "name": "Handover pack"}),
    "activecampaign_lists": _fixed("lists", {"id": "1", "name": "Newsletter"}),
    "activecampaign_tags": _fixed("tags", {"id": "1", "tag": "solar"}, {"id": "2", "tag": "battery"}),
    "activecampaign_automations": _fixed("automations", {"id": "1", "name": "Welcome"}, {"id": "2", "name": "Win back"}),
}


def _slack_message(call: Call, params: Record) -> Record:
    _needed(params, "channel")
    text = params.get("text") or params.get("message")
    if not text:
        raise invalid("params.text is required", field="params.text")
    wanted = str(params["channel"]).lstrip("#")
    channel = next((c for c in _CHANNELS if wanted in (c["id"], c["name"])), None)
    if channel is None:
        raise invalid(f"there is no channel {wanted}; slack_channels lists them", field="params.channel")
    sent = call.world.send("slack", f"#{channel['name']}", body=text)
    return {"channel": channel["id"], "ts": sent["sent_at"], "message_id": sent["id"]}


def _zoom_meeting(call: Call, params: Record) -> Record:
    _needed(params, "topic")
    number = uuid4().int % 10**10
    meeting = call.fresh({
        "topic": params["topic"], "start_time": params.get("start_time"), "duration": params.get("duration", 30),
        "join_url": f"https://zoom.example/j/{number}",
    })  # fmt: skip
    call.store.add("zoom_meeting", [meeting])
    return meeting


def _calcom_booking(call: Call, params: Record) -> Record:
    _needed(params, "event_type_id", "start", "email")
    kept = {k: params.get(k) for k in ("event_type_id", "start", "name", "email")}
    booking = call.fresh({**kept, "guests": [], "status": "ACCEPTED"})
    call.store.add("calcom_booking", [booking])
    title = next((str(t["slug"]) for t in _EVENT_TYPES if t["id"] == params["event_type_id"]), None)
    told = {"uid": booking["id"], "title": title, "start_time": booking["start"], "email": booking["email"]}
    call.world.emit("calcom_booking_created", told)
    return booking


def _calcom_guests(call: Call, params: Record) -> Record:
    _needed(params, "booking_id", "guests")
    booking = call.must("calcom_booking", str(params["booking_id"]))
    updated = {**booking, "guests": [*booking["guests"], *params["guests"]]}
    call.store.save("calcom_booking", updated)
    return updated


def _sent(channel: str, *needed: str) -> Callable[[Call, Record], Record]:
    """An action whose effect is outside: it goes to the outbox."""

    def act(call: Call, params: Record) -> Record:
        _needed(params, *needed)
        message = call.world.send(channel, channel, params=params)
        return {"id": message["id"], "status": "accepted"}

    return act


def _portant(call: Call, params: Record) -> Record:
    _needed(params, "template_id")
    document = call.fresh({"name": params.get("name") or f"Portant {params['template_id']}", "document_type": "portant"})
    call.store.add("document", [document])
    if deal := ((call.body.get("data") or {}).get("deal") or {}).get("id"):
        call.store.link("opportunity_document", call.must("opportunity", deal)["id"], document["id"])
    return document


_ACTIONS: dict[str, Callable[[Call, Record], Record]] = {
    **xero_actions.ACTIONS,
    "xero_create_repeating_invoice": xero_repeating.create,
    "slack_send_message": _slack_message,
    "facebook_conversion": _sent("facebook", "event_name"),
    "portant_generate_document": _portant,
    "activecampaign_add_to_automation": _sent("activecampaign", "automation_id"),
    "calcom_create_booking": _calcom_booking,
    "calcom_add_guests": _calcom_guests,
    "zoom_create_meeting": _zoom_meeting,
}


def seed(s: Seeder) -> None:
    """All seven platforms, one of them with an expired connection, and the suppliers' bills."""
    names = {"xero": "Brightside Home Energy Pty Ltd", "slack": "brightside.slack.example"}
    s.store.add("integration", [
        s.record(
            300 - i, platform_type=platform, platform_account_name=names.get(platform, "Brightside Home Energy"),
            status="expired" if platform == "facebook" else "active", last_used_at=s.time(s.rng.uniform(1, 20)),
        )
        for i, platform in enumerate(_PLATFORMS)
    ])  # fmt: skip
    suppliers = s.store.all("company")[:12]
    bills = []
    for i in range(30):
        age = s.rng.uniform(1, 180)
        bills.append(s.record(
            age, company_id=s.rng.choice(suppliers)["id"], number=f"BILL-{500 + i}", total=round(s.rng.uniform(150, 6000), 2),
            due_date=s.time(age - 30)[:10], status=s.rng.choice(["paid", "paid", "sent"]), currency="AUD",
        ))  # fmt: skip
    s.store.add("xero_bill", sorted(bills, key=lambda b: str(b["created_at"])))


JOBS = xero_repeating.JOBS
HANDLERS: dict[str, Handler] = {
    "list_integrations": lambda c: everything(c.store.all("integration")),
    "get_integration": lambda c: Answer(c.must("integration")),
    "query_integration": _query,
    "run_integration_action": _act,
}
