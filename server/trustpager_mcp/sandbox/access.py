"""Who may open a restricted record: entries for users and roles, shared by dashboards, notes and folders."""

from __future__ import annotations

from .engine import Answer, Call, everything
from .errors import invalid, not_found
from .people import owner
from .store import Record, Store

ROLES = ("client_admin", "client_editor", "client_viewer")
_KIND = "access_entry"


def entries(store: Store, record_id: str) -> list[Record]:
    """The entries of a record, oldest first."""
    return list(reversed(store.all(_KIND, record_id=record_id)))


def view(entry: Record) -> Record:
    return {k: v for k, v in entry.items() if k != "record_id"}


def listed(call: Call, record: Record) -> Answer:
    return everything([view(e) for e in entries(call.store, record["id"])])


def grant(call: Call, kind: str, record: Record) -> Answer:
    """One entry; what is granted already stays as it is. Raises VALIDATION_ERROR when the record is open to all."""
    if record["visibility"] != "restricted":
        message = f'the {kind} is visible to {record["visibility"]}; set visibility to "restricted" first'
        raise invalid(message, field="visibility")
    principal, name = call.body["principal_id"], call.body["principal_type"]
    if name == "user" and call.store.get("user", principal) is None:
        raise invalid(f"principal_id: there is no user {principal}", field="principal_id")
    if name == "role" and principal not in (known := _roles(call.store)):
        raise invalid(f"principal_id: there is no role {principal}; roles are {', '.join(known)}", field="principal_id")
    whom = {"user_id": principal if name == "user" else None, "role_name": principal if name == "role" else None}
    for entry in entries(call.store, record["id"]):
        if {k: entry[k] for k in whom} == whom:
            return Answer(view(entry))
    entry = call.fresh({"record_id": record["id"], f"{kind}_id": record["id"], "principal_type": name, **whom})
    call.store.add(_KIND, [entry])
    return Answer(view(entry), status=201)


def forget(store: Store, record_id: str) -> None:
    """Remove a deleted record's entries."""
    for entry in entries(store, record_id):
        store.delete(_KIND, entry["id"])


def revoke(call: Call, *kinds: str) -> Answer:
    """Remove an entry of one of the kinds of record."""
    entry = call.must(_KIND, what="access entry")
    if not any(f"{kind}_id" in entry for kind in kinds):
        raise not_found("access entry", entry["id"])
    call.store.delete(_KIND, entry["id"])
    return Answer(status=204)


def may_read(store: Store, record: Record) -> bool:
    """Whether the key's owner may open a record, by its visibility, its maker and its entries."""
    me = owner(store)
    role = (store.get("membership", me["id"]) or {}).get("role", "client_admin" if me["role"] == "admin" else "client_editor")
    match record["visibility"]:
        case "all_users":
            return True
        case "admins_only":
            return bool(role == "client_admin")
        case "creator_only":
            return bool(record["created_by"] == me["id"])
    granted = any(e["user_id"] == me["id"] or e["role_name"] in (me["role"], role) for e in entries(store, record["id"]))
    return granted or record["created_by"] == me["id"]


def _roles(store: Store) -> list[str]:
    held = {u["role"] for u in store.all("user") if u.get("role")}
    named = {r["name"] for r in store.all("role") if r.get("name")}
    return [*ROLES, *sorted((held | named) - set(ROLES))]
