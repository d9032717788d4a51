"""What hangs on an opportunity: line items and their costs, people, team, attachments, invoices."""

from __future__ import annotations

from .. import stored_files
from ..engine import Answer, Call, Handler, change, clear_references, everything
from ..errors import ApiError, forbidden, invalid, not_found
from ..store import Record
from . import activities, contacts, files, products, spreadsheets, tasks, work_orders

# attachment tool suffix: (path name of the id, kind of record, needs this file type)
_ATTACHMENTS = {
    "file": ("fileId", "file", None),
    "image": ("imageId", "file", "image"),
    "document": ("documentId", "document", None),
    "spreadsheet": ("spreadsheetId", "spreadsheet", None),
}


def products_of(call: Call, opportunity_id: str) -> list[Record]:
    """Line items in order; payment_status only for keys with invoices:read."""
    lines = sorted(call.store.all("opportunity_product", opportunity_id=opportunity_id), key=lambda r: r["position"])
    return [_line_view(call, line) for line in lines]


def _line_view(call: Call, line: Record) -> Record:
    hidden = () if "invoices:read" in call.key.scopes else ("payment_status",)
    return {k: v for k, v in line.items() if k not in hidden}


def _guard_payment(call: Call) -> None:
    if call.body.get("payment_status") is not None and "invoices:write" not in call.key.scopes:
        raise forbidden("invoices:write")


def _add_product(call: Call) -> Answer:
    opportunity = call.must("opportunity")
    _guard_payment(call)
    product = call.store.get("product", call.body["product_id"])
    if product is None:
        raise invalid(f"product_id: there is no product {call.body['product_id']}", field="product_id")
    position = len(call.store.all("opportunity_product", opportunity_id=opportunity["id"]))
    defaults = {"quantity": 1, "unit_price": product["price"], "discount_percent": 0, "deposit_percent": None}
    line = call.fresh(
        {
            "opportunity_id": opportunity["id"], "name": product["name"], **defaults, "payment_status": "unpaid",
            **{k: v for k, v in call.body.items() if v is not None}, "position": position,
        }
    )  # fmt: skip
    call.store.add("opportunity_product", [line])
    return Answer(_line_view(call, line), status=201)


def _line(call: Call) -> Record:
    line = call.must("opportunity_product", call.ids["opportunityProductId"])
    if line["opportunity_id"] != call.must("opportunity")["id"]:
        raise ApiError(404, "NOT_FOUND", "the opportunity has no such product")
    return line


def _update_product(call: Call) -> Answer:
    _guard_payment(call)
    return Answer(_line_view(call, change(call, "opportunity_product", _line(call), call.body)))


def delete_line(call: Call, line_id: str) -> None:
    """A line item with its costs; the work orders raised for it stay."""
    for cost in call.store.all("opportunity_product_cost", opportunity_product_id=line_id):
        call.store.delete("opportunity_product_cost", cost["id"])
    clear_references(call, line_id, ("work_order", "deal_product_id"))
    call.store.delete("opportunity_product", line_id)


def _remove_product(call: Call) -> Answer:
    delete_line(call, _line(call)["id"])
    return Answer(status=204)


def _reorder(call: Call) -> Answer:
    opportunity = call.must("opportunity")
    lines = {r["id"]: r for r in call.store.all("opportunity_product", opportunity_id=opportunity["id"])}
    order = call.body["product_ids"]
    if len(order) != len(lines) or set(order) != set(lines):
        raise invalid("product_ids must hold every product of the opportunity once", field="product_ids")
    for position, line_id in enumerate(order):
        call.store.save("opportunity_product", {**lines[line_id], "position": position})
    return everything(products_of(call, opportunity["id"]))


def _costs(call: Call) -> Answer:
    return everything(call.store.all("opportunity_product_cost", opportunity_product_id=_line(call)["id"]))


def _add_cost(call: Call) -> Answer:
    line = _line(call)
    links = {"opportunity_id": line["opportunity_id"], "opportunity_product_id": line["id"]}
    cost = call.fresh({**links, "quantity": 1, "currency": "AUD", **products.checked_cost(call)})
    call.store.add("opportunity_product_cost", [cost])
    return Answer(cost, status=201)


def _cost(call: Call) -> Record:
    cost = call.must("opportunity_product_cost", call.ids["costId"])
    if cost["opportunity_id"] != call.must("opportunity")["id"]:
        raise ApiError(404, "NOT_FOUND", "the opportunity has no such cost")
    return cost


def _update_cost(call: Call) -> Answer:
    return Answer(change(call, "opportunity_product_cost", _cost(call), products.checked_cost(call)))


def _delete_cost(call: Call) -> Answer:
    call.store.delete("opportunity_product_cost", _cost(call)["id"])
    return Answer(status=204)


def users_of(call: Call, opportunity_id: str) -> list[Record]:
    """The team on it, the primary owner first."""
    links = call.store.linked("opportunity_user", opportunity_id)
    found = [{**u, "is_primary": bool(link.get("is_primary"))} for b, link in links if (u := call.store.get("user", b))]
    return sorted(found, key=lambda u: not u["is_primary"])


def _people(call: Call) -> Answer:
    found = (call.store.get("contact", b) for b, _ in call.store.linked("opportunity_contact", call.must("opportunity")["id"]))
    return everything([contacts.view(p) for p in found if p])


def _found(call: Call, kind: str, record_id: str) -> Record | None:
    """The attached record; files and the library's documents are found under either name, as one of them may be both."""
    if kind == "spreadsheet":
        sheet = call.store.get(kind, record_id)
        return spreadsheets.view(call.store, sheet) if sheet else None
    if kind not in ("file", "document"):
        return call.store.get(kind, record_id)
    record = stored_files.find(call.store, record_id)
    if record is None or (kind == "document" and stored_files.type_of(record) != "document"):
        return None
    return files.view(call.world, record)


def _attach(link: str, path_name: str, kind: str, file_type: str | None = None) -> Handler:
    def handler(call: Call) -> Answer:
        opportunity, other = call.must("opportunity"), _found(call, kind, call.ids[path_name])
        if other is None:
            raise not_found(kind, call.ids[path_name])
        if file_type and other.get("type") != file_type:
            raise invalid(f"{other['id']} is a file of type {other.get('type')}, not {file_type}", field=path_name)
        call.store.link(link, opportunity["id"], other["id"])
        return Answer({"opportunity_id": opportunity["id"], f"{kind}_id": other["id"]}, status=201)

    return handler


def _detach(link: str, path_name: str, kind: str = "", file_type: str | None = None) -> Handler:
    def handler(call: Call) -> Answer:
        other = (call.store.get(kind, call.ids[path_name]) or {}) if file_type else {}
        if other.get("type") != file_type or not call.store.unlink(link, call.must("opportunity")["id"], call.ids[path_name]):
            raise ApiError(404, "NOT_FOUND", f"{call.ids[path_name]} is not attached to the opportunity")
        return Answer(status=204)

    return handler


def _attached(link: str, kind: str, file_type: str | None = None) -> Handler:
    def handler(call: Call) -> Answer:
        found = (_found(call, kind, b) for b, _ in call.store.linked(link, call.must("opportunity")["id"]))
        return everything([r for r in found if r and (file_type is None or r.get("type") == file_type)])

    return handler


def _attachment_handlers() -> dict[str, Handler]:
    handlers: dict[str, Handler] = {}
    for name, (path_name, kind, file_type) in _ATTACHMENTS.items():
        # Images are files: attaching one shows under both.
        link = f"opportunity_{kind}"
        handlers[f"list_opportunity_{name}s"] = _attached(link, kind, file_type)
        handlers[f"add_opportunity_{name}"] = _attach(link, path_name, kind, file_type)
        handlers[f"remove_opportunity_{name}"] = _detach(link, path_name, kind, file_type)
    return handlers


HANDLERS: dict[str, Handler] = {
    "list_opportunity_products": lambda c: everything(products_of(c, c.must("opportunity")["id"])),
    "add_opportunity_product": _add_product,
    "update_opportunity_product": _update_product,
    "remove_opportunity_product": _remove_product,
    "reorder_opportunity_products": _reorder,
    "list_opportunity_product_costs": _costs,
    "create_opportunity_product_cost": _add_cost,
    "update_opportunity_product_cost": _update_cost,
    "delete_opportunity_product_cost": _delete_cost,
    "list_opportunity_contacts": _people,
    "add_opportunity_contact": _attach("opportunity_contact", "contactId", "contact"),
    "remove_opportunity_contact": _detach("opportunity_contact", "contactId"),
    "list_opportunity_users": lambda c: everything(users_of(c, c.must("opportunity")["id"])),
    "assign_opportunity_user": _attach("opportunity_user", "userId", "user"),
    "unassign_opportunity_user": _detach("opportunity_user", "userId"),
    "list_opportunity_activities": lambda c: everything(activities.of(c, "deal_id", c.must("opportunity")["id"])),
    "list_opportunity_tasks": lambda c: everything(tasks.of(c, "deal_id", c.must("opportunity")["id"])),
    "list_opportunity_work_orders": lambda c: everything(work_orders.of(c.store, c.must("opportunity")["id"])),
    "list_opportunity_invoices": lambda c: everything(c.store.all("invoice", trustpager_deal_id=c.must("opportunity")["id"])),
    **_attachment_handlers(),
}
