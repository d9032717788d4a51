"""Requests to the makers of the platform: their notes, links and search by meaning."""

from __future__ import annotations

from uuid import uuid4

from ..engine import Answer, Call, Handler, change, everything, page
from ..errors import ApiError, invalid
from ..meaning import rank
from ..people import owner
from ..seed import Seeder
from ..store import Record

# The list's words for how a request ended; the search names the outcomes one by one (reference).
_ENDED = {"resolved": ("resolved", "completed"), "closed": ("closed", "rejected", "cancelled")}
_CONTEXT = ("category", "affected_tools", "suggested_solution", "use_case", "priority")
_DEFAULT_FOUND = 10
_DEFAULT_THRESHOLD = 0.5


def _me(call: Call) -> str:
    """The person behind the token, or the key's owner."""
    return call.key.user_id or str(owner(call.store)["id"])


def _view(record: Record) -> Record:
    """A request as the API shows it; category and priority stand in its context and beside it."""
    return {**record, "category": record["context"].get("category"), "priority": record["context"].get("priority")}


def _list(call: Call) -> Answer:
    q = call.query
    rows = call.store.numbered("service_request")
    if "status" in q:
        rows = [(n, r) for n, r in rows if r["status"] in _ENDED.get(q["status"], (q["status"],))]
    for name in ("category", "priority"):
        if name in q:
            rows = [(n, r) for n, r in rows if r["context"].get(name) == q[name]]
    if "affected_tool" in q:
        rows = [(n, r) for n, r in rows if q["affected_tool"] in (r["context"].get("affected_tools") or ())]
    if "search" in q:
        rows = [(n, r) for n, r in rows if q["search"].lower() in f"{r['title']}\n{r['description']}".lower()]
    if q.get("submitted_by_me"):
        me = _me(call)
        rows = [(n, r) for n, r in rows if r["user_id"] == me]
    return page(call, rows, _view)


def _linked(call: Call, ids: list[str], name: str, own_id: str | None = None) -> list[str]:
    """Ids of requests that may be linked to. Raises VALIDATION_ERROR for itself and for unknown ones."""
    if own_id in ids:
        raise invalid(f"{name}: a request cannot be linked to itself", field=name)
    if unknown := [i for i in ids if call.store.get("service_request", i) is None]:
        raise invalid(f"{name}: there is no service request {', '.join(unknown)} in this workspace", field=name)
    return list(dict.fromkeys(ids))


def _link(call: Call, a: str, b: str, *, linked: bool) -> None:
    """Both directions of a link, made or removed."""
    for one, other in ((a, b), (b, a)):
        record = call.store.get("service_request", one)
        if record:
            others = [i for i in record["related_ids"] if i != other]
            call.store.save("service_request", {**record, "related_ids": [*others, other] if linked else others})


def _create(call: Call) -> Answer:
    body = call.body
    for name in ("title", "description"):
        if not body[name].strip():
            raise invalid(f"{name} must not be empty", field=name)
    related = _linked(call, body.get("related_ids") or [], "related_ids")
    context = {k: body[k] for k in _CONTEXT if k in body}
    context = {"category": "other", "priority": "medium", "affected_tools": [], **context}
    record = call.fresh({
        "title": body["title"], "description": body["description"], "status": "pending", "context": context, "notes": [],
        "related_ids": [], "user_id": _me(call),
        "slack_message_ts": f"{call.clock.now().timestamp():.6f}",
    })  # fmt: skip
    call.store.add("service_request", [record])
    for other in related:
        _link(call, record["id"], other, linked=True)
    text = f"[{context['priority']}] {body['title']} ({context['category']})"
    call.world.send("slack", "trustpager-engineering", text=text, service_request_id=record["id"])
    return Answer(_view(call.must("service_request", record["id"])), status=201)


def _search(call: Call) -> Answer:
    body = call.body
    found = call.store.all("service_request", **{k: body[k] for k in ("status",) if k in body})
    scores = rank(body["query"], [f"{r['title']} {r['description']}" for r in found], [r["title"] for r in found])
    hits = sorted(zip(scores, found, strict=True), key=lambda hit: -hit[0])
    kept = [{**_view(r), "similarity": score} for score, r in hits if score >= body.get("threshold", _DEFAULT_THRESHOLD)]
    return everything(kept[: body.get("limit", _DEFAULT_FOUND)])


def _content(call: Call) -> str:
    content: str = call.body["content"]
    if not content.strip():
        raise invalid("content must not be empty", field="content")
    return content


def _add_note(call: Call) -> Answer:
    record = call.must("service_request")
    note = {"id": str(uuid4()), "user_id": _me(call), "content": _content(call), "created_at": call.clock.iso()}
    return Answer(_view(change(call, "service_request", record, {"notes": [*record["notes"], note]})), status=201)


def _edit_note(call: Call) -> Answer:
    record = call.must("service_request")
    note = next((n for n in record["notes"] if n["id"] == call.ids["noteId"]), None)
    if note is None:
        raise ApiError(404, "NOT_FOUND", f"service request {record['id']} has no note {call.ids['noteId']}")
    if note["user_id"] != _me(call):
        raise ApiError(403, "FORBIDDEN", "only the author of a note may edit it")
    edited = {**note, "content": _content(call), "edited_at": call.clock.iso()}
    notes = [edited if n["id"] == note["id"] else n for n in record["notes"]]
    return Answer(_view(change(call, "service_request", record, {"notes": notes})))


def _links(call: Call) -> Answer:
    record = call.must("service_request")
    for other in _linked(call, call.body.get("add") or [], "add", record["id"]):
        _link(call, record["id"], other, linked=True)
    for other in call.body.get("remove") or []:
        _link(call, record["id"], other, linked=False)
    return Answer(_view(call.must("service_request")))


HANDLERS: dict[str, Handler] = {
    "list_service_requests": _list,
    "get_service_request": lambda c: Answer(_view(c.must("service_request"))),
    "create_service_request": _create,
    "search_service_requests": _search,
    "add_service_request_note": _add_note,
    "update_service_request_note": _edit_note,
    "link_service_requests": _links,
}

_SEEDED: tuple[tuple[str, str, str, str, list[str], str], ...] = (
    ("Filter opportunities by the date they were won", "We cannot list what was won last quarter without reading every deal.",
     "missing_filter", "high", ["list_opportunities"], "pending"),
    ("Attach photos to work orders by API", "Installers send photos, and we have to attach them in the portal by hand.",
     "missing_tool", "medium", ["update_work_order"], "in_progress"),
    ("Clearer message when a stage belongs to another pipeline", "The error said bad request; it should name the stage.",
     "better_errors", "low", ["move_opportunity"], "completed"),
    ("Export of invoices", "The accountant needs invoices as a spreadsheet each month.", "new_capability", "medium", [],
     "backlog"),
    ("Times of bookings in the customer's zone", "Perth customers get Sydney times in their confirmation.", "bug_report",
     "critical", ["create_booking"], "completed"),
    ("Explain custom field ids", "The documentation does not say where the ids come from.", "documentation", "low", [],
     "rejected"),
)  # fmt: skip


def seed(s: Seeder) -> None:
    users = list(reversed(s.store.all("user")))
    made = []
    for i, (title, description, category, priority, tools, status) in enumerate(_SEEDED):
        age = 150 - 24 * i
        notes = [{"id": s.id(), "user_id": users[2]["id"], "content": "Jo from support rang: they look at it this week.",
                  "created_at": s.time(age - 3)}]  # fmt: skip
        made.append(s.record(
            age, title=title, description=description, status=status, notes=notes if status != "backlog" else [], related_ids=[],
            context={"category": category, "priority": priority, "affected_tools": tools}, user_id=users[i % 3]["id"],
            slack_message_ts=f"{s.now.timestamp() - age * 86400:.6f}",
        ))  # fmt: skip
    s.store.add("service_request", made)
