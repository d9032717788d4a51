"""Tasks, their order and their categories."""

from __future__ import annotations

from ..checks import moment
from ..engine import Answer, Call, Handler, change, contains, everything, page
from ..errors import invalid
from ..store import Record

_FILTERS = ("status", "assigned_to", "deal_id", "contact_id", "category_id")
_LINKS = (("deal_id", "opportunity"), ("assigned_to", "user"), ("contact_id", "contact"), ("category_id", "task_category"))


def of(call: Call, link: str, record_id: str) -> list[Record]:
    """The tasks of a record, in their order."""
    return sorted(call.store.all("task", **{link: record_id}), key=lambda t: t["position"])


def _place(sequence: int, task: Record) -> tuple[int, int]:
    return task["position"], -sequence


def _due_within(task: Record, query: Record) -> bool:
    after, before, due = moment(query.get("due_after")), moment(query.get("due_before")), moment(task.get("due_date"))
    if due is None:
        return after is None and before is None
    return (after is None or due >= after) and (before is None or due <= before)


def _list(call: Call) -> Answer:
    q = call.query
    rows = call.store.numbered("task", **{k: q[k] for k in _FILTERS if k in q})
    rows = [(n, t) for n, t in rows if _due_within(t, q)]
    if "search" in q:
        rows = [(n, t) for n, t in rows if contains(t, q["search"], "title", "description")]
    return page(call, rows, order=_place)


def _checked(call: Call, fields: Record) -> Record:
    for name, kind in _LINKS:
        call.reference(kind, fields.get(name), name)
    return fields


def _create(call: Call) -> Answer:
    """A new task stands first: of those at one position the newest leads."""
    defaults = {
        "description": None, "status": "pending", "priority": "medium", "due_date": None, "assigned_to": None, "deal_id": None,
        "contact_id": None, "category_id": None, "position": 0, "completed_at": None,
    }  # fmt: skip
    record = call.fresh({**defaults, **_checked(call, call.body)})
    if record["status"] == "completed":
        record["completed_at"] = record["created_at"]
    call.store.add("task", [record])
    return Answer(record, status=201)


def _update(call: Call) -> Answer:
    task = call.must("task")
    changes = _checked(call, dict(call.body))
    if "status" in changes and changes["status"] != task["status"]:
        changes["completed_at"] = call.clock.iso() if changes["status"] == "completed" else None
    return Answer(change(call, "task", task, changes))


def _delete(call: Call) -> Answer:
    call.store.delete("task", call.must("task")["id"])
    return Answer(status=204)


def _reorder(call: Call) -> Answer:
    """The named tasks share out the places that they hold, so that the others keep theirs."""
    order: list[str] = call.body["order"]
    if len(set(order)) < len(order):
        raise invalid("order names a task twice", field="order")
    found = [call.store.get("task", task_id) for task_id in order]
    if missing := [i for i, task in zip(order, found, strict=True) if task is None]:
        raise invalid(f"order names tasks that do not exist: {', '.join(missing[:3])}", field="order")
    everyone = sorted(call.store.numbered("task"), key=lambda row: _place(*row))
    held = iter(order)
    new = [next(held) if task["id"] in order else task["id"] for _, task in everyone]
    for position, task_id in enumerate(new):
        if (task := call.must("task", task_id))["position"] != position:
            call.store.save("task", {**task, "position": position})
    return Answer({"reordered": len(order)})


def _create_category(call: Call) -> Answer:
    record = call.fresh({"color": "#3b82f6", **call.body})
    call.store.add("task_category", [record])
    return Answer(record, status=201)


def _delete_category(call: Call) -> Answer:
    category = call.must("task_category")
    for task in call.store.all("task", category_id=category["id"]):
        call.store.save("task", {**task, "category_id": None})
    call.store.delete("task_category", category["id"])
    return Answer(status=204)


HANDLERS: dict[str, Handler] = {
    "list_tasks": _list,
    "get_task": lambda c: Answer(c.must("task")),
    "create_task": _create,
    "update_task": _update,
    "delete_task": _delete,
    "list_task_categories": lambda c: everything(list(reversed(c.store.all("task_category")))),
    "create_task_category": _create_category,
    "update_task_category": lambda c: Answer(change(c, "task_category", c.must("task_category"), c.body)),
    "delete_task_category": _delete_category,
    "reorder_tasks": _reorder,
}
