"""Spreadsheets: templates of columns, sheets made from them, and their rows."""

from __future__ import annotations

from typing import Any

from .. import sheets
from ..engine import Answer, Call, Handler, change, everything, page
from ..errors import ApiError, invalid
from ..ordered import named
from ..seed import Seeder
from ..store import Record, Store
from ..world import World

_LINK = "opportunity_spreadsheet"


def _templates(call: Call) -> Answer:
    rows = call.store.numbered("spreadsheet_template")
    if not call.query.get("include_archived"):
        rows = [(n, t) for n, t in rows if not t["is_archived"]]
    if "search" in call.query:
        rows = [(n, t) for n, t in rows if call.query["search"].lower() in t["name"].lower()]
    return page(call, rows)


def _checked(fields: Record, known: Record) -> Record:
    """A template's fields, with its columns' ids and every header known. Raises VALIDATION_ERROR."""
    fields = named(fields, "name")
    if known and fields.get("columns") == []:
        raise invalid("columns replaces them all: give at least one, archived ones too", field="columns")
    if "columns" in fields or not known:
        fields = {**fields, "columns": sheets.columns_of(fields.get("columns"), known.get("columns", []))}
    whole = {**known, **fields}
    sheets.check_rules(whole["columns"], whole.get("default_sort"), whole.get("merge_rules"))
    return fields


def _create_template(call: Call) -> Answer:
    defaults: Record = {"description": None, "default_sort": None, "merge_rules": None, "is_archived": False}
    template = call.fresh({**defaults, **_checked(call.body, {})})
    call.store.add("spreadsheet_template", [template])
    return Answer(template, status=201)


def _update_template(call: Call) -> Answer:
    template = call.must("spreadsheet_template")
    updated = change(call, "spreadsheet_template", template, _checked(call.body, template))
    if "default_sort" in call.body:
        for sheet in call.store.all("spreadsheet", template_id=template["id"]):
            _number(call.store, sheets.sorted_rows(_rows(call.store, sheet["id"]), updated["columns"], updated["default_sort"]))
    return Answer(updated)


def _delete_template(call: Call) -> Answer:
    template = call.must("spreadsheet_template")
    for sheet in call.store.all("spreadsheet", template_id=template["id"]):
        _delete_sheet(call.store, sheet["id"])
    call.store.delete("spreadsheet_template", template["id"])
    return Answer(status=204)


def _delete_sheet(store: Store, sheet_id: str) -> None:
    for row in _rows(store, sheet_id):
        store.delete("spreadsheet_row", row["id"])
    store.unlink_everywhere(sheet_id)
    store.delete("spreadsheet", sheet_id)


def _rows(store: Store, sheet_id: str) -> list[Record]:
    return sorted(store.all("spreadsheet_row", spreadsheet_id=sheet_id), key=lambda r: r["row_index"])


def _number(store: Store, order: list[Record]) -> None:
    for index, row in enumerate(order):
        if row["row_index"] != index:
            store.save("spreadsheet_row", {**row, "row_index": index})


def _row_view(row: Record) -> Record:
    return {k: v for k, v in row.items() if k != "parts"}


def view(store: Store, sheet: Record) -> Record:
    """The opportunity is the one to which the sheet was attached last, here or on the opportunity."""
    attached = store.linking(_LINK, sheet["id"])
    shown = {"is_archived": False, "template_id": None, **sheet, "opportunity_id": attached[-1] if attached else None}
    return {**shown, "row_count": len(store.all("spreadsheet_row", spreadsheet_id=sheet["id"]))}


def _whole(call: Call) -> Answer:
    sheet = call.must("spreadsheet")
    rows = [_row_view(r) for r in _rows(call.store, sheet["id"])]
    return Answer({**view(call.store, sheet), "parent_columns": _columns(call.store, sheet), "rows": rows})


def _template_of(store: Store, sheet: Record) -> Record:
    return store.get("spreadsheet_template", sheet.get("template_id") or "") or {"columns": []}


def _columns(store: Store, sheet: Record) -> list[Record]:
    found: list[Record] = _template_of(store, sheet)["columns"]
    return found


def _list(call: Call) -> Answer:
    q = call.query
    rows = call.store.numbered("spreadsheet", **{k: q[k] for k in ("template_id",) if k in q})
    if not q.get("include_archived"):
        rows = [(n, s) for n, s in rows if not s.get("is_archived")]
    if "opportunity_id" in q:
        attached = {i for i, _ in call.store.linked(_LINK, q["opportunity_id"])}
        rows = [(n, s) for n, s in rows if s["id"] in attached]
    return page(call, rows, lambda s: view(call.store, s))


def _create(call: Call) -> Answer:
    template, opportunity_id = call.store.get("spreadsheet_template", call.body["template_id"]), call.body.get("opportunity_id")
    call.reference("spreadsheet_template", call.body["template_id"], "template_id")
    call.reference("opportunity", opportunity_id, "opportunity_id")
    if template and template["is_archived"]:
        raise invalid("template_id: the template is archived; unarchive it first", field="template_id")
    fields = {k: v for k, v in named(call.body, "name").items() if k != "opportunity_id"}
    sheet = call.fresh({**fields, "is_archived": False})
    call.store.add("spreadsheet", [sheet])
    if opportunity_id:
        call.store.link(_LINK, opportunity_id, sheet["id"])
    return Answer(view(call.store, sheet), status=201)


def _update(call: Call) -> Answer:
    sheet, changes = call.must("spreadsheet"), named(dict(call.body), "name")
    if "opportunity_id" in changes:
        wanted = changes.pop("opportunity_id")
        call.reference("opportunity", wanted, "opportunity_id")
        for one in call.store.linking(_LINK, sheet["id"]):
            call.store.unlink(_LINK, one, sheet["id"])
        if wanted:
            call.store.link(_LINK, wanted, sheet["id"])
    return Answer(view(call.store, change(call, "spreadsheet", sheet, changes)))


def _delete(call: Call) -> Answer:
    _delete_sheet(call.store, call.must("spreadsheet")["id"])
    return Answer(status=204)


def filled(world: World, template_id: str, name: str, rows: list[Record], opportunity_id: str | None) -> Record:
    """A new sheet with these rows of cells, on the opportunity if one is named. Raises VALIDATION_ERROR."""
    if world.store.get("spreadsheet_template", template_id) is None:
        raise invalid(f"there is no spreadsheet template {template_id}; the form's field names one that was deleted")
    sheet = world.fresh({"template_id": template_id, "name": name, "is_archived": False})
    world.store.add("spreadsheet", [sheet])
    for cells in rows:
        _insert(world, sheet, cells)
    if opportunity_id:
        world.store.link(_LINK, opportunity_id, sheet["id"])
    return sheet


def _insert(call: Call | World, sheet: Record, cells: Record) -> tuple[Record, bool]:
    """A row at the end, or merged into its twin; then every row takes its sorted place. The row, and whether it merged."""
    template = _template_of(call.store, sheet)
    columns, rules = template["columns"], template.get("merge_rules")
    sheets.check_cells(call.store, columns, cells, {})
    rows = _rows(call.store, sheet["id"])
    twin = sheets.twin(rows, columns, rules, cells) if rules else None
    if twin and rules:
        row = {**sheets.merged(twin, columns, rules, cells), "updated_at": call.clock.iso()}
        call.store.save("spreadsheet_row", row)
    else:
        row = call.fresh({"spreadsheet_id": sheet["id"], "row_index": len(rows), "cells": cells})
        call.store.add("spreadsheet_row", [row])
    _settle(call.store, sheet)
    return _row_view(call.store.get("spreadsheet_row", row["id"]) or row), twin is not None


def _settle(store: Store, sheet: Record) -> None:
    template = _template_of(store, sheet)
    _number(store, sheets.sorted_rows(_rows(store, sheet["id"]), template["columns"], template.get("default_sort")))


def _touch(call: Call, sheet: Record) -> None:
    call.store.save("spreadsheet", {**sheet, "updated_at": call.clock.iso()})


def _create_row(call: Call) -> Answer:
    """201 for a new row; 200 for one that merged into another."""
    sheet = call.must("spreadsheet")
    row, merged = _insert(call, sheet, call.body.get("cells") or {})
    _touch(call, sheet)
    return Answer({**row, "merged": merged}, status=200 if merged else 201)


def _create_rows(call: Call) -> Answer:
    sheet = call.must("spreadsheet")
    created: list[Record] = []
    errors: list[Record] = []
    for index, one in enumerate(call.body["rows"]):
        try:
            row, merged = _insert(call, sheet, one.get("cells") or {})
            created.append({"index": index, "id": row["id"], "merged": merged})
        except ApiError as error:
            errors.append({"index": index, "code": error.code, "message": error.message})
    _touch(call, sheet)
    # Later rows may have moved or joined earlier ones: they are shown as they stand in the end.
    shown = [{**entry, **_row_view(call.must("spreadsheet_row", entry["id"]))} for entry in created]
    return Answer({"created": shown, "errors": errors}, status=201)


def _row(call: Call) -> tuple[Record, Record]:
    sheet, row = call.must("spreadsheet"), call.must("spreadsheet_row", call.ids["rowId"])
    if row["spreadsheet_id"] != sheet["id"]:
        raise ApiError(404, "NOT_FOUND", f"spreadsheet {sheet['id']} has no row {row['id']}")
    return sheet, row


def _update_row(call: Call) -> Answer:
    sheet, row = _row(call)
    changes: Record = {}
    if "cells" in call.body:
        sheets.check_cells(call.store, _columns(call.store, sheet), call.body["cells"], row["cells"])
        changes = {"cells": call.body["cells"]}
        call.store.save("spreadsheet_row", {**{k: v for k, v in row.items() if k != "parts"}, **changes})
        _settle(call.store, sheet)
    if "row_index" in call.body:
        others = [r for r in _rows(call.store, sheet["id"]) if r["id"] != row["id"]]
        at = min(call.body["row_index"], len(others))
        _number(call.store, [*others[:at], call.must("spreadsheet_row", row["id"]), *others[at:]])
    _touch(call, sheet)
    now = {**call.must("spreadsheet_row", row["id"]), "updated_at": call.clock.iso()}
    call.store.save("spreadsheet_row", now)
    return Answer(_row_view(now))


def _delete_row(call: Call) -> Answer:
    sheet, row = _row(call)
    call.store.delete("spreadsheet_row", row["id"])
    _number(call.store, _rows(call.store, sheet["id"]))
    _touch(call, sheet)
    return Answer(status=204)


HANDLERS: dict[str, Handler] = {
    "list_spreadsheet_templates": _templates,
    "get_spreadsheet_template": lambda c: Answer(c.must("spreadsheet_template")),
    "create_spreadsheet_template": _create_template,
    "update_spreadsheet_template": _update_template,
    "delete_spreadsheet_template": _delete_template,
    "list_spreadsheets": _list,
    "get_spreadsheet": _whole,
    "create_spreadsheet": _create,
    "update_spreadsheet": _update,
    "delete_spreadsheet": _delete,
    "list_spreadsheet_rows": lambda c: everything([_row_view(r) for r in _rows(c.store, c.must("spreadsheet")["id"])]),
    "create_spreadsheet_row": _create_row,
    "update_spreadsheet_row": _update_row,
    "delete_spreadsheet_row": _delete_row,
    "create_spreadsheet_rows": _create_rows,
}

_ROOMS = ("Kitchen", "Living room", "Garage", "Roof, north side", "Roof, west side", "Meter box")
_TASKS = ("Order panels", "Book the lift", "Apply to the network operator", "Inspect the roof", "Hand over the manual")


def _template(s: Seeder, age: float, name: str, *columns: tuple[str, str], **fields: Any) -> Record:
    made = [{"id": s.id(), "header": h, "data_type": t, **({"options": fields["options"]} if t == "dropdown" else {})}
            for h, t in columns]  # fmt: skip
    template = s.record(age, name=name, description=None, columns=made, default_sort=fields.get("sort"), merge_rules=None,
                        is_archived=False)  # fmt: skip
    s.store.add("spreadsheet_template", [template])
    return template


def seed(s: Seeder) -> None:
    """The sheets on the opportunities get their columns and rows; a checklist stands beside them."""
    measured = _template(s, 300, "Measurements", ("Place", "text"), ("Length (m)", "number"), ("Width (m)", "number"),
                         ("Measured on", "date"), ("Notes", "long_text"))  # fmt: skip
    checklist = _template(
        s, 250, "Installation checklist", ("Task", "text"), ("Status", "dropdown"), ("Assigned to", "user_ref"),
        ("Done", "boolean"),
        options=[{"value": "Open", "color": "amber"}, {"value": "Done", "color": "green"}],
    )  # fmt: skip
    rows = []
    for sheet in s.store.all("spreadsheet"):
        s.store.save("spreadsheet", {**sheet, "template_id": measured["id"], "is_archived": False})
        for index, room in enumerate(s.rng.sample(_ROOMS, 4)):
            values = (room, round(s.rng.uniform(2, 9), 1), round(s.rng.uniform(2, 6), 1), sheet["created_at"][:10], None)
            cells = {c["id"]: v for c, v in zip(measured["columns"], values, strict=True)}
            row = s.record(0, spreadsheet_id=sheet["id"], row_index=index, cells=cells)
            rows.append({**row, "created_at": sheet["created_at"], "updated_at": sheet["created_at"]})
    users = [u["id"] for u in s.store.all("user")]
    deal = s.store.all("opportunity", status="won")[0]
    sheet = s.record(10, name=f"Checklist {deal['name']}", template_id=checklist["id"], is_archived=False)
    s.store.add("spreadsheet", [sheet])
    s.store.link(_LINK, deal["id"], sheet["id"])
    for index, task in enumerate(_TASKS):
        state = (task, "Done" if index < 2 else "Open", s.rng.choice(users), index < 2)
        cells = {c["id"]: v for c, v in zip(checklist["columns"], state, strict=True)}
        rows.append(s.record(10, spreadsheet_id=sheet["id"], row_index=index, cells=cells))
    s.store.add("spreadsheet_row", rows)
    _form(s, measured)


def _form(s: Seeder, measured: Record) -> None:
    """A form with a spreadsheet field: the API has no way to make one, and its answer becomes a sheet."""
    folder = s.store.all("form_folder", name="Delivery")[0]
    template = s.record(160, name="Room measurements", description="From the installer on site", is_archived=False,
                        folder_id=folder["id"], settings={})  # fmt: skip
    content = {"spreadsheet_template_id": measured["id"]}
    field = s.record(160, template_id=template["id"], type="spreadsheet", label="Measurements", placeholder=None,
                     is_required=True, order_index=0, step_number=1, content=content)  # fmt: skip
    s.store.add("form_template", [template])
    s.store.add("form_field", [field])
