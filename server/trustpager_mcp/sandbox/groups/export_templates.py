"""Saved exports of records as XLSX or CSV, and each user's own views of them."""

from __future__ import annotations

from typing import Any

from ..engine import Answer, Call, Handler, change, everything, page
from ..errors import ApiError, invalid
from ..exports.entities import ENTITIES
from ..exports.files import table_file
from ..exports.plan import as_json, catalogue, check, chosen, rows
from ..ordered import named
from ..people import owner
from ..seed import Seeder
from ..store import Record

MOST_ROWS = 250_000
_PREVIEWED = 10
_OUTPUT: Record = {"format": "xlsx", "bom": True, "filename_template": "{name} {YYYY-MM-DD}"}


def _older_operators(body: dict[str, Any]) -> dict[str, Any]:
    """`not_contains` on tags is the older spelling of not_in (reference)."""
    filters = body.get("filters")
    if not isinstance(filters, list):
        return body
    return {**body, "filters": [_canonical(f) for f in filters]}


def _canonical(one: Any) -> Any:
    if not isinstance(one, dict) or one.get("op") != "not_contains" or one.get("field") != "tags":
        return one
    value = one.get("value")
    return {**one, "op": "not_in", "value": value if isinstance(value, list) else [value]}


def _checked(fields: Record, known: Record) -> Record:
    whole = {**known, **fields}
    if not whole["columns"]:
        raise invalid("columns must hold at least one column", field="columns")
    if not whole["name"].strip():
        raise invalid("name must not be empty", field="name")
    check(ENTITIES[whole["root_entity"]], whole["columns"], whole.get("filters"), whole.get("sort"))
    return fields


def _create(call: Call) -> Answer:
    fields = {"filters": [], "sort": [], **_checked(call.body, {}), "created_by": owner(call.store)["id"]}
    template = call.fresh({**fields, "output": {**_OUTPUT, **call.body.get("output", {})}})
    call.store.add("export_template", [template])
    return Answer(template, status=201)


def _update(call: Call) -> Answer:
    template, changes = call.must("export_template"), dict(_checked(call.body, call.must("export_template")))
    if "output" in changes:
        changes["output"] = {**_OUTPUT, **changes["output"]}
    return Answer(change(call, "export_template", template, changes))


def _delete(call: Call) -> Answer:
    template = call.must("export_template")
    for view in call.store.all("export_view", template_id=template["id"]):
        call.store.delete("export_view", view["id"])
    call.store.delete("export_template", template["id"])
    return Answer(status=204)


def _list(call: Call) -> Answer:
    q = call.query
    found = call.store.numbered("export_template", **{k: q[k] for k in ("root_entity",) if k in q})
    if "search" in q:
        found = [(n, t) for n, t in found if q["search"].lower() in t["name"].lower()]
    return page(call, found)


def _plan(call: Call) -> tuple[Record, list[Record]]:
    """The template, and its records: filters and sort of the body go before the view's, and those before its own.

    A preview may bring columns of its own.
    """
    template = call.must("export_template")
    if columns := call.body.get("columns"):
        template = {**template, "columns": columns}
    view = _view(call, template, call.body["view_id"]) if call.body.get("view_id") else {}

    def part(name: str) -> list[Record]:
        given: list[Record] | None = call.body.get(name, view.get(name))
        own: list[Record] = template[name]
        return own if given is None else given

    entity = ENTITIES[template["root_entity"]]
    check(entity, template["columns"], call.body.get("filters"), call.body.get("sort"))
    return template, chosen(call.world, entity, template["columns"], part("filters"), part("sort"))


def _preview(call: Call) -> Answer:
    template, records = _plan(call)
    entity, columns = ENTITIES[template["root_entity"]], template["columns"]
    shown: list[list[Any]] = []
    for row in rows(call.store, entity, columns, records):
        if len(shown) == _PREVIEWED:
            break
        shown.append([as_json(cell) for cell in row])
    headers = [c["header"] for c in columns]
    return Answer({"headers": headers, "rows": shown, "row_count": len(shown), "total_records": len(records)})


def _run(call: Call) -> Answer:
    template, records = _plan(call)
    output, columns, now = template["output"], template["columns"], call.clock.now()
    name = output["filename_template"].replace("{name}", template["name"])
    for token, text in (("{YYYY-MM-DD}", "%Y-%m-%d"), ("{YYYY}", "%Y"), ("{MM}", "%m"), ("{DD}", "%d")):
        name = name.replace(token, now.strftime(text))
    lines = rows(call.store, ENTITIES[template["root_entity"]], columns, records)
    return table_file([c["header"] for c in columns], lines, output["format"], name, MOST_ROWS, bom=output["bom"])


def _view(call: Call, template: Record, view_id: str) -> Record:
    view = call.must("export_view", view_id)
    if view["template_id"] != template["id"]:
        raise ApiError(404, "NOT_FOUND", f"export template {template['id']} has no view {view_id}")
    return view


def _views(call: Call) -> Answer:
    template = call.must("export_template")
    return everything(call.store.all("export_view", template_id=template["id"]))


def _create_view(call: Call) -> Answer:
    template, body = call.must("export_template"), named(call.body, "name")
    check(ENTITIES[template["root_entity"]], template["columns"], body.get("filters"), body.get("sort"))
    defaults = {"template_id": template["id"], "filters": None, "sort": None, "created_by": owner(call.store)["id"]}
    view = call.fresh({**defaults, **body})
    call.store.add("export_view", [view])
    return Answer(view, status=201)


def _path_view(call: Call) -> tuple[Record, Record]:
    template = call.must("export_template", call.ids["template_id"])
    return template, _view(call, template, call.ids["id"])


def _update_view(call: Call) -> Answer:
    template, view = _path_view(call)
    check(ENTITIES[template["root_entity"]], template["columns"], call.body.get("filters"), call.body.get("sort"))
    return Answer(change(call, "export_view", view, named(call.body, "name")))


def _delete_view(call: Call) -> Answer:
    call.store.delete("export_view", _path_view(call)[1]["id"])
    return Answer(status=204)


HANDLERS: dict[str, Handler] = {
    "get_export_field_catalog": lambda c: Answer(catalogue(c.store, c.query["root_entity"])),
    "list_export_templates": _list,
    "get_export_template": lambda c: Answer(c.must("export_template")),
    "create_export_template": _create,
    "update_export_template": _update,
    "delete_export_template": _delete,
    "preview_export_template": _preview,
    "run_export_template": _run,
    "list_export_views": _views,
    "create_export_view": _create_view,
    "update_export_view": _update_view,
    "delete_export_view": _delete_view,
}
_FILTERED = ("create_export_template", "update_export_template", "preview_export_template", "create_export_view")
REWRITES = dict.fromkeys((*_FILTERED, "update_export_view"), _older_operators)


def seed(s: Seeder) -> None:
    """Won jobs for the accountant, with a view of this year's, and a mailing list."""

    def root(field: str, header: str, **more: Any) -> Record:
        return {"id": s.id(), "source": "root", "field": field, "header": header, **more}

    def related(relation: str, field: str, header: str, mode: str = "primary") -> Record:
        return {
            "id": s.id(),
            "source": "relation",
            "relation": relation,
            "relation_mode": mode,
            "relation_field": field,
            "header": header,
        }

    won = [root("name", "Job"), root("value", "Value", format="currency"), root("won_at", "Won", format="date"),
           related("primary_contact", "email", "Email"), related("assigned_users", "name", "Team", "comma_joined")]  # fmt: skip
    people = [root("display_name", "Name"), root("email", "Email"), root("city", "City"), related("account", "name", "Company")]
    maker = owner(s.store)["id"]
    made = [
        s.record(
            age, name=name, root_entity=entity, columns=columns, sort=[{"column_id": columns[at]["id"], "direction": direction}],
            filters=[{"id": s.id(), **f} for f in filters], output={**_OUTPUT, "format": kind}, created_by=maker,
        )
        for age, name, entity, columns, at, direction, filters, kind in (
            (120, "Won jobs", "opportunity", won, 2, "desc", [{"field": "status", "op": "in", "value": ["won"]}], "xlsx"),
            (60, "Mailing list", "contact", people, 0, "asc", [{"field": "email_unsubscribed", "op": "neq", "value": True}],
             "csv"),
        )
    ]  # fmt: skip
    s.store.add("export_template", made)
    recent = [{"id": s.id(), "field": "won_at", "op": "gte", "value": s.time(90)[:10]}]
    filters = [*made[0]["filters"], *recent]
    s.store.add("export_view", [s.record(30, template_id=made[0]["id"], name="Last 90 days", filters=filters, sort=None,
                                         created_by=maker)])  # fmt: skip
