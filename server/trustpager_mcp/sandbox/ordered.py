"""Parts that stand in an order below a record: sections of templates and pages, fields of forms."""

from __future__ import annotations

from .engine import Answer, Call, change, everything
from .errors import ApiError, invalid
from .store import Record, Store


class Parts:
    """The parts of one kind; `parent_field` names the record that they belong to."""

    def __init__(self, kind: str, parent_kind: str, parent_field: str, path_name: str) -> None:
        self.kind, self.parent_kind, self.parent_field, self.path_name = kind, parent_kind, parent_field, path_name

    def of(self, store: Store, parent_id: str) -> list[Record]:
        """In their order; those of the same index in the order of creation."""
        rows = store.all(self.kind, **{self.parent_field: parent_id})
        return sorted(reversed(rows), key=lambda r: r["order_index"])

    def add(self, call: Call, parent_id: str, fields: Record) -> Record:
        """A new part, at the end unless the fields say where."""
        known = self.of(call.store, parent_id)
        last = known[-1]["order_index"] + 1 if known else 0
        record = call.fresh({self.parent_field: parent_id, "order_index": last, **fields})
        call.store.add(self.kind, [record])
        return record

    def must(self, call: Call, parent_id: str) -> Record:
        """The part that the path names. Raises 404 when the parent has no such part."""
        part = call.store.get(self.kind, call.ids[self.path_name])
        if part is None or part[self.parent_field] != parent_id:
            what = self.kind.replace("_", " ")
            raise ApiError(
                404, "NOT_FOUND", f"{self.parent_kind.replace('_', ' ')} {parent_id} has no {what} {call.ids[self.path_name]}"
            )
        return part

    def copy(self, call: Call, from_id: str, to_id: str) -> None:
        """The same parts below another parent."""
        for part in self.of(call.store, from_id):
            self.add(
                call, to_id, {k: v for k, v in part.items() if k not in ("id", "created_at", "updated_at", self.parent_field)}
            )

    def delete_all(self, call: Call, parent_id: str) -> None:
        for part in call.store.all(self.kind, **{self.parent_field: parent_id}):
            call.store.delete(self.kind, part["id"])

    def reorder(self, call: Call, parent_id: str, field: str) -> Answer:
        """The new order. Raises VALIDATION_ERROR unless every part is named once."""
        parts = {r["id"]: r for r in self.of(call.store, parent_id)}
        order = call.body[field]
        if len(order) != len(parts) or set(order) != set(parts):
            raise invalid(f"{field} must name each of the {len(parts)} {self.kind.replace('_', ' ')}s once", field=field)
        for index, part_id in enumerate(order):
            if parts[part_id]["order_index"] != index:
                change(call, self.kind, parts[part_id], {"order_index": index})
        return everything(self.of(call.store, parent_id))


def named(fields: Record, *names: str) -> Record:
    """The fields, none of the named ones blank. Raises VALIDATION_ERROR."""
    for name in names:
        if isinstance(fields.get(name), str) and not fields[name].strip():
            raise invalid(f"{name} must not be empty", field=name)
    return fields
