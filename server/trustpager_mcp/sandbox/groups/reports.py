"""Reports: queries, dashboards with their cards, funnels, and the emailed digest."""

from __future__ import annotations

import html
from typing import Any

from .. import access, mail
from ..automation.context import Context
from ..engine import Answer, Call, Handler, change, everything
from ..errors import ApiError, invalid, not_found
from ..ordered import named
from ..people import owner
from ..reporting import digest, query, sources, templates
from ..seed import Seeder
from ..store import Record, Store

_CARD = {"visualization_type": "bar", "query_spec": None, "display_config": None, "size": "md"}
_LINKS = (("contact_id", "contact"), ("customer_id", "company"), ("deal_id", "opportunity"))


def _one_order(body: dict[str, Any]) -> dict[str, Any]:
    """The spellings that the reference allows beside a list in order_by: `sort`, and a single object."""
    changed = dict(body)
    if "sort" in changed and "order_by" not in changed:
        changed["order_by"] = changed.pop("sort")
    if isinstance(changed.get("order_by"), dict):
        changed["order_by"] = [changed["order_by"]]
    return changed


def _card_order(body: dict[str, Any]) -> dict[str, Any]:
    """The same spellings in a card's query."""
    spec = body.get("query_spec")
    return {**body, "query_spec": _one_order(spec)} if isinstance(spec, dict) else body


def _query(call: Call) -> Answer:
    return Answer(query.run(call.world, call.body, owner(call.store)["id"]))


def cards_of(store: Store, dashboard_id: str) -> list[Record]:
    """A dashboard's cards in their order."""
    return sorted(store.all("report_card", dashboard_id=dashboard_id), key=lambda c: c["position"])


def _whole(call: Call, dashboard: Record) -> Record:
    return {**dashboard, "cards": cards_of(call.store, dashboard["id"])}


def _create(call: Call) -> Answer:
    body = dict(call.body)
    key, pipeline_id = body.get("template"), body.get("pipeline_id")
    call.reference("pipeline", pipeline_id, "pipeline_id")
    if pipeline_id and not key:
        raise invalid("pipeline_id limits a template's cards: give template too", field="pipeline_id")
    template = templates.TEMPLATES.get(key or "", {})
    defaults = {"description": template.get("description"), "visibility": "all_users", "template": None, "pipeline_id": None}
    named = {"name": template.get("name"), **defaults, **body, "created_by": owner(call.store)["id"]}
    if not str(named["name"] or "").strip():
        raise invalid("name must not be empty", field="name")
    dashboard = call.fresh(named)
    call.store.add("report_dashboard", [dashboard])
    if key:
        cards = [{**_CARD, **c, "position": i} for i, c in enumerate(templates.cards_of(key, pipeline_id))]
        call.store.add("report_card", [call.fresh({"dashboard_id": dashboard["id"], **c}) for c in cards])
    return Answer(_whole(call, dashboard), status=201)


def _list(call: Call) -> Answer:
    shown = [d for d in call.store.all("report_dashboard") if access.may_read(call.store, d)]
    return everything([{**d, "card_count": len(call.store.all("report_card", dashboard_id=d["id"]))} for d in shown])


def _dashboard(call: Call, dashboard_id: str | None = None) -> Record:
    found = call.must("report_dashboard", dashboard_id)
    if not access.may_read(call.store, found):
        # Whoever may not open it is not told that it is there.
        raise not_found("report dashboard", found["id"])
    return found


def _update(call: Call) -> Answer:
    return Answer(_whole(call, change(call, "report_dashboard", _dashboard(call), named(call.body, "name"))))


def _delete(call: Call) -> Answer:
    dashboard = _dashboard(call)
    for card in cards_of(call.store, dashboard["id"]):
        call.store.delete("report_card", card["id"])
    access.forget(call.store, dashboard["id"])
    call.store.delete("report_dashboard", dashboard["id"])
    return Answer(status=204)


def _check_card(card: Record) -> None:
    """The query must be one that runs, and emailed columns must be in it. Raises VALIDATION_ERROR."""
    chosen = [key for key, _ in digest.column_keys(card["display_config"])]
    if not card["query_spec"]:
        if chosen:
            raise invalid("display_config.columns needs a query_spec that has them", field="display_config.columns")
        return
    parsed = query.parse(card["query_spec"])
    if chosen and parsed.drilldown:
        parsed = query.parse({**card["query_spec"], "dimensions": chosen})
    time = [parsed.period[0]] if parsed.period else []
    known = [*time, *parsed.dimensions, *([] if parsed.drilldown else [m["alias"] for m in parsed.measures])]
    if unknown := [key for key in chosen if key not in known]:
        message = f"display_config.columns: the query has no {', '.join(unknown)}; it has {', '.join(known)}"
        raise invalid(message, field="display_config.columns")


def _place(store: Store, order: list[Record]) -> None:
    for position, card in enumerate(order):
        if card["position"] != position:
            store.save("report_card", {**card, "position": position})


def _put(call: Call, card: Record, position: int | None) -> Record:
    """The card at its place; the others make room."""
    others = [c for c in cards_of(call.store, card["dashboard_id"]) if c["id"] != card["id"]]
    at = len(others) if position is None else min(position, len(others))
    _place(call.store, [*others[:at], card, *others[at:]])
    return call.must("report_card", card["id"])


def _add_card(call: Call) -> Answer:
    dashboard, body = _dashboard(call), named(dict(call.body), "title")
    position = body.pop("position", None)
    card = call.fresh({"dashboard_id": dashboard["id"], **_CARD, **body, "position": -1})
    _check_card(card)
    call.store.add("report_card", [card])
    return Answer(_put(call, card, position), status=201)


def _update_card(call: Call) -> Answer:
    card, body = call.must("report_card"), named(dict(call.body), "title")
    _dashboard(call, card["dashboard_id"])
    position = body.pop("position", card["position"])
    _check_card({**card, **body})
    return Answer(_put(call, change(call, "report_card", card, body), position))


def _delete_card(call: Call) -> Answer:
    card = call.must("report_card")
    _dashboard(call, card["dashboard_id"])
    call.store.delete("report_card", card["id"])
    _place(call.store, cards_of(call.store, card["dashboard_id"]))
    return Answer(status=204)


def _reorder(call: Call) -> Answer:
    dashboard, order = _dashboard(call), call.body["card_ids"]
    cards = {c["id"]: c for c in cards_of(call.store, dashboard["id"])}
    if len(order) != len(cards) or set(order) != set(cards):
        raise invalid("card_ids must hold every card of the dashboard once", field="card_ids")
    _place(call.store, [cards[i] for i in order])
    return Answer(_whole(call, dashboard))


def _recipients(call: Call) -> list[Record]:
    """Each person once. Raises VALIDATION_ERROR for a user that does not exist."""
    people: dict[tuple[str, str | None], Record] = {}
    for index, one in enumerate(call.body["recipients"]):
        person = {"name": None, "user_id": None, **({"email": one} if isinstance(one, str) else one)}
        call.reference("user", person["user_id"], f"recipients.{index}.user_id")
        people.setdefault((person["email"].lower(), person["user_id"]), person)
    return list(people.values())


def _sender(call: Call) -> Record:
    """Raises VALIDATION_ERROR for no such config, GMAIL_NOT_CONNECTED where Gmail is asked for and not connected."""
    config = mail.company_sender(call.store, call.body.get("email_config_id"))
    name = call.body.get("sender_name") or config["from_name"]
    if call.body.get("email_provider", "postmark") == "postmark":
        return {"from_email": config["from_email"], "from_name": name, "provider": "postmark"}
    if not config.get("gmail_sender_user_id"):
        raise ApiError(400, "GMAIL_NOT_CONNECTED", f"email config {config['id']} has no Gmail sender connected")
    connection = mail.gmail_of(call.store, config["gmail_sender_user_id"])
    address = config.get("gmail_sender_alias") or connection["email"]
    return {"from_email": address, "from_name": name, "provider": "gmail", "sender_user_id": connection["user_id"]}


def _around(call: Call, part: str, texts: Context) -> str:
    """What stands above or below the report; HTML goes before plain text."""
    if call.body.get(f"{part}_html"):
        return str(texts.fill(call.body[f"{part}_html"]))
    return digest.paragraphs(texts.fill(call.body.get(f"{part}_text") or ""))


def _send(call: Call) -> Answer:
    dashboard = _dashboard(call, call.body["dashboard_id"])
    for name, kind in _LINKS:
        call.reference(kind, call.body.get(name), name)
    sender, links = _sender(call), {name: call.body[name] for name, _ in _LINKS if call.body.get(name)}
    cards = cards_of(call.store, dashboard["id"])
    results = []
    for person in _recipients(call):
        rendered = digest.render(call.world, cards, person["user_id"])
        result = {"email": person["email"], "user_id": person["user_id"], "success": True, "sent": False, "skipped_reason": None}
        if rendered.records == 0 and call.body.get("suppress_if_empty", True):
            results.append({**result, "skipped_reason": "empty_dashboard"})
            continue
        texts = Context(call.world, {**links, "recipient": person, "dashboard": {"name": dashboard["name"]}})
        signature = f"<p>{html.escape(call.body['sender_name'])}</p>" if call.body.get("sender_name") else ""
        body = f"{_around(call, 'intro', texts)}{rendered.html}{_around(call, 'outro', texts)}{signature}"
        subject = texts.fill(call.body.get("subject") or dashboard["name"])
        outgoing = mail.Mail(
            person["email"], subject, body, **sender, **links, to_name=person["name"], email_type="report_digest"
        )  # fmt: skip
        try:
            posted = mail.post(call.world, outgoing)
        except ApiError as error:
            results.append({**result, "success": False, "error": {"code": error.code, "message": error.message}})
            continue
        results.append({**result, "sent": True, "message_id": posted["message_id"], "log_id": posted["log_id"]})
    counts = {"sent": sum(r["sent"] for r in results), "skipped": sum(bool(r["skipped_reason"]) for r in results)}
    return Answer({"dashboard_id": dashboard["id"], **counts, "results": results})


def _funnel(call: Call) -> Answer:
    pipeline = call.must("pipeline", call.query["pipeline_id"])
    found = call.store.all("report_funnel", pipeline_id=pipeline["id"])
    return Answer(found[0] if found else {"id": None, "pipeline_id": pipeline["id"], "steps": []})


def _set_funnel(call: Call) -> Answer:
    pipeline, steps = call.must("pipeline", call.body["pipeline_id"]), call.body["steps"]
    stages = {s["id"] for s in call.store.all("stage", pipeline_id=pipeline["id"])}
    taken: set[str] = set()
    for index, step in enumerate(steps):
        where = f"steps.{index}.stage_ids"
        if foreign := [i for i in step["stage_ids"] if i not in stages]:
            raise invalid(f"{where}: {', '.join(foreign)} is no stage of pipeline {pipeline['id']}", field=where)
        if not step["stage_ids"] or taken & set(step["stage_ids"]):
            raise invalid(f"{where}: a step needs stages, and a stage belongs to one step only", field=where)
        taken |= set(step["stage_ids"])
    found = call.store.all("report_funnel", pipeline_id=pipeline["id"])
    if found:
        return Answer(change(call, "report_funnel", found[0], {"steps": steps}))
    funnel = call.fresh({"pipeline_id": pipeline["id"], "steps": steps})
    call.store.add("report_funnel", [funnel])
    return Answer(funnel)


def _delete_funnel(call: Call) -> Answer:
    call.store.delete("report_funnel", call.must("report_funnel")["id"])
    return Answer(status=204)


HANDLERS: dict[str, Handler] = {
    "run_report_query": _query,
    "list_report_sources": lambda _: everything(sources.catalogue()),
    "list_report_templates": lambda _: everything(templates.catalogue()),
    "create_report_dashboard": _create,
    "list_report_dashboards": _list,
    "get_report_dashboard": lambda c: Answer(_whole(c, _dashboard(c))),
    "update_report_dashboard": _update,
    "delete_report_dashboard": _delete,
    "list_report_dashboard_access": lambda c: access.listed(c, _dashboard(c)),
    "grant_report_dashboard_access": lambda c: access.grant(c, "dashboard", _dashboard(c)),
    "create_report_card": _add_card,
    "update_report_card": _update_card,
    "delete_report_card": _delete_card,
    "reorder_report_cards": _reorder,
    "send_report_dashboard": _send,
    "get_report_funnel": _funnel,
    "set_report_funnel": _set_funnel,
    "delete_report_funnel": _delete_funnel,
}
REWRITES = {"run_report_query": _one_order, "create_report_card": _card_order, "update_report_card": _card_order}

_REASONS = {
    "won": ("Best price", "Fast response", "Referral", "Quality"),
    "lost": ("Too expensive", "Chose a competitor", "No finance", "Project on hold"),
}


def seed(s: Seeder) -> None:
    """When and why the past deals were closed, two dashboards and a funnel."""
    now = s.time(0)
    for deal in s.store.all("opportunity"):
        if deal["status"] in _REASONS:
            closed = min(max(deal["last_activity_at"] or deal["updated_at"], deal["created_at"]), now)
            reasons = s.rng.sample(_REASONS[deal["status"]], s.rng.choice([1, 1, 1, 2]))
            said = {f"{deal['status']}_at": closed, f"{deal['status']}_reasons": reasons}
            s.store.save("opportunity", {**deal, **said})
    maker = owner(s.store)["id"]
    for age, key, visibility in ((200, "sales_overview", "all_users"), (90, "staff_accountability", "restricted")):
        template = templates.TEMPLATES[key]
        dashboard = s.record(
            age, name=template["name"], description=template["description"], visibility=visibility, template=key,
            pipeline_id=None, created_by=maker,
        )  # fmt: skip
        s.store.add("report_dashboard", [dashboard])
        cards = enumerate(templates.cards_of(key, None))
        s.store.add("report_card", [s.record(age, dashboard_id=dashboard["id"], **{**_CARD, **c}, position=i) for i, c in cards])
    pipeline = s.store.all("pipeline")[-1]
    stages = sorted(s.store.all("stage", pipeline_id=pipeline["id"]), key=lambda x: x["position"])
    parts = (("Enquiries", stages[:2]), ("Quoted", stages[2:5]), ("Won", stages[5:]))
    steps = [{"name": name, "stage_ids": [x["id"] for x in group]} for name, group in parts]
    s.store.add("report_funnel", [s.record(150, pipeline_id=pipeline["id"], steps=steps)])
