"""Notes in folders: content and its edits, who may read them, and the pages that show them."""

from __future__ import annotations

from .. import access, rich_text
from ..engine import Answer, Call, Handler, change, everything
from ..errors import invalid, not_found
from ..ordered import named
from ..people import owner
from ..seed import Seeder
from ..store import Record, Store

_SLIM = ("id", "title", "folder", "folder_id", "visibility", "is_favorite", "created_by", "created_at", "updated_at")
_PAGES = (("customer_id", "company"), ("contact_id", "contact"))


def _slim(note: Record) -> Record:
    return {k: note[k] for k in _SLIM}


def _shown(call: Call, note: Record) -> Record:
    """What a write answers: the content only when it is asked for."""
    return {**_slim(note), "content": note["content"]} if call.body.get("return_content") else _slim(note)


def _folder_open(store: Store, folder_id: str | None) -> bool:
    """Whether the folder and those around it may be opened."""
    while folder_id:
        folder = store.get("notepad_folder", folder_id)
        if folder is None or not access.may_read(store, folder):
            return False
        folder_id = folder["parent_id"]
    return True


def _open(store: Store, note: Record) -> bool:
    return access.may_read(store, note) and _folder_open(store, note["folder_id"])


def _note(call: Call) -> Record:
    """The note that the path names; whoever may not read it is not told that it is there."""
    note = call.must("notepad")
    if not _open(call.store, note):
        raise not_found("notepad", note["id"])
    return note


def _folder(call: Call, folder_id: str | None = None) -> Record:
    folder = call.must("notepad_folder", folder_id)
    if not _folder_open(call.store, folder["id"]):
        raise not_found("notepad folder", folder["id"])
    return folder


def _list(call: Call) -> Answer:
    q = call.query
    notes = call.store.all("notepad", **{k: q[k] for k in ("folder_id", "visibility", "is_favorite") if k in q})
    if "folder" in q:
        notes = [n for n in notes if (n["folder"] or "").lower() == q["folder"].lower()]
    if "search" in q:
        notes = [n for n in notes if q["search"].lower() in n["title"].lower()]
    return everything([_slim(n) for n in notes if _open(call.store, n)])


def _filed(call: Call) -> Record:
    """folder_id and folder in step: an id fills the name, a name finds its folder or makes it. Raises VALIDATION_ERROR."""
    body = call.body
    if "folder_id" in body:
        if body["folder_id"] is None:
            return {"folder_id": None, "folder": None}
        call.reference("notepad_folder", body["folder_id"], "folder_id")
        folder = _folder(call, body["folder_id"])
    elif "folder" in body:
        name = body["folder"].strip()
        if not name:
            return {"folder_id": None, "folder": None}
        named_so = (f for f in call.store.all("notepad_folder") if f["name"].lower() == name.lower())
        same = [f for f in named_so if _folder_open(call.store, f["id"])]
        folder = same[-1] if same else _add_folder(call, {"name": name})
    else:
        return {}
    return {"folder_id": folder["id"], "folder": folder["name"]}


def _add_folder(call: Call, fields: Record) -> Record:
    defaults = {"parent_id": None, "visibility": "all_users", "created_by": owner(call.store)["id"]}
    folder = call.fresh({**defaults, **fields})
    call.store.add("notepad_folder", [folder])
    return folder


def _create(call: Call) -> Answer:
    body = call.body
    named(call.body, "title")
    for name, kind in _PAGES:
        call.reference(kind, body.get(name), name)
    content = body.get("content") or ""
    given = content if isinstance(content, dict) else {"html": rich_text.to_html(content)}
    note = call.fresh({
        "title": body["title"], "content": given["html"], "tiptap_json": given.get("tiptapJson"), "folder": None,
        "folder_id": None, **_filed(call), "visibility": body.get("visibility", "all_users"),
        "is_favorite": body.get("is_favorite", False), "created_by": owner(call.store)["id"],
    })  # fmt: skip
    call.store.add("notepad", [note])
    for name, kind in _PAGES:
        if body.get(name):
            page = call.must(kind, body[name])
            call.store.save(kind, {**page, "notepads": [*page.get("notepads", ()), note["id"]]})
    return Answer(_shown(call, note), status=201)


def _edited(note: Record, body: Record) -> Record:
    """The content after the edit that the body asks for, in one of the three ways. Raises VALIDATION_ERROR."""
    if patches := body.get("patches"):
        if "content" in body:
            raise invalid("patches and content exclude each other: give one of them", field="patches")
        return {"content": rich_text.patched(note["content"], patches), "tiptap_json": None}
    if body.get("content") is None:
        return {}
    new = rich_text.to_html(body["content"])
    match body.get("mode", "replace"):
        case "append":
            new = rich_text.join(note["content"], new)
        case "prepend":
            new = rich_text.join(new, note["content"])
    return {"content": new, "tiptap_json": None}


def _update(call: Call) -> Answer:
    note = _note(call)
    named(call.body, "title")
    plain = {k: call.body[k] for k in ("title", "visibility", "is_favorite") if k in call.body}
    return Answer(_shown(call, change(call, "notepad", note, {**plain, **_filed(call), **_edited(note, call.body)})))


def _delete(call: Call) -> Answer:
    note = _note(call)
    for _, kind in _PAGES:
        for page in call.store.all(kind):
            if note["id"] in page.get("notepads", ()):
                call.store.save(kind, {**page, "notepads": [i for i in page["notepads"] if i != note["id"]]})
    access.forget(call.store, note["id"])
    call.store.delete("notepad", note["id"])
    return Answer(status=204)


def _folders(call: Call) -> Answer:
    return everything([f for f in reversed(call.store.all("notepad_folder")) if _folder_open(call.store, f["id"])])


def _check_parent(call: Call, folder_id: str | None = None) -> None:
    """The parent exists and is not the folder itself or one inside it. Raises VALIDATION_ERROR."""
    parent_id = call.body.get("parent_id")
    call.reference("notepad_folder", parent_id, "parent_id")
    while parent_id:
        if parent_id == folder_id:
            raise invalid("parent_id: a folder cannot lie in itself or in one of its own folders", field="parent_id")
        parent_id = (call.store.get("notepad_folder", parent_id) or {}).get("parent_id")


def _create_folder(call: Call) -> Answer:
    _check_parent(call)
    return Answer(_add_folder(call, named(call.body, "name")), status=201)


def _update_folder(call: Call) -> Answer:
    folder = _folder(call)
    _check_parent(call, folder["id"])
    updated = change(call, "notepad_folder", folder, named(call.body, "name"))
    for note in call.store.all("notepad", folder_id=folder["id"]):
        call.store.save("notepad", {**note, "folder": updated["name"]})
    return Answer(updated)


def _delete_folder(call: Call) -> Answer:
    """Its notes are unfiled; its folders move to where it was."""
    folder = _folder(call)
    for note in call.store.all("notepad", folder_id=folder["id"]):
        call.store.save("notepad", {**note, "folder_id": None, "folder": None})
    for inner in call.store.all("notepad_folder", parent_id=folder["id"]):
        call.store.save("notepad_folder", {**inner, "parent_id": folder["parent_id"]})
    access.forget(call.store, folder["id"])
    call.store.delete("notepad_folder", folder["id"])
    return Answer(status=204)


def _get(call: Call) -> Answer:
    note = _note(call)
    return Answer({**_slim(note), "content": note["content"], "tiptap_json": note["tiptap_json"]})


HANDLERS: dict[str, Handler] = {
    "list_notepads": _list,
    "get_notepad": _get,
    "create_notepad": _create,
    "update_notepad": _update,
    "delete_notepad": _delete,
    "list_notepad_folders": _folders,
    "create_notepad_folder": _create_folder,
    "get_notepad_folder": lambda c: Answer(_folder(c)),
    "update_notepad_folder": _update_folder,
    "delete_notepad_folder": _delete_folder,
    "list_notepad_access": lambda c: access.listed(c, _note(c)),
    "grant_notepad_access": lambda c: access.grant(c, "notepad", _note(c)),
    "list_notepad_folder_access": lambda c: access.listed(c, _folder(c)),
    "grant_notepad_folder_access": lambda c: access.grant(c, "folder", _folder(c)),
    "revoke_notepad_access": lambda c: access.revoke(c, "notepad", "folder"),
}

_NOTES = (
    (
        "Weekly meeting",
        "Minutes",
        "<h2>Decisions</h2>\n<p>Two crews from July.</p>\n<h2>Next steps</h2>\n<ul><li>Call Sam</li></ul>",
    ),
    ("Toolbox talk: ladders", "Minutes", "<p>Three points of contact. Tie off above two metres.</p>"),
    ("Network operator contacts", "How-to", "<h2>Applications</h2>\n<p>Five working days for up to 10 kW.</p>"),
    (
        "Switchboard upgrades",
        "How-to",
        "<h2>When</h2>\n<p>Ceramic fuses, no RCD, or no room.</p>\n<h2>Price</h2>\n<p>From $1,200.</p>",
    ),
    ("Battery rebate", "How-to", "<p>The customer applies; we send the invoice and the photos.</p>"),
    ("Ideas for the trade show", None, "<p>A model roof, a prize draw, and coffee.</p>"),
)


def seed(s: Seeder) -> None:
    """Notes of the team in two folders, one shared with administrators only, and a private one of a salesman."""
    users = {u["name"].split()[0]: u["id"] for u in s.store.all("user")}
    folders = {
        n: s.record(300, name=n, parent_id=None, visibility="all_users", created_by=users["Mia"]) for n in ("Minutes", "How-to")
    }
    s.store.add("notepad_folder", folders.values())
    notes = []
    for i, (title, folder, content) in enumerate(_NOTES):
        notes.append(s.record(
            120 - 15 * i, title=title, content=content, tiptap_json=None, folder=folder, is_favorite=i == 0,
            folder_id=folders[folder]["id"] if folder else None, visibility="all_users",
            created_by=users[s.rng.choice(("Mia", "Ruby"))],
        ))  # fmt: skip
    blank = {"tiptap_json": None, "folder": None, "folder_id": None, "is_favorite": False}
    pay = s.record(40, title="Pay review", content="<p>Award rates rise in July.</p>", visibility="restricted",
                   created_by=users["Ruby"], **blank)  # fmt: skip
    own = s.record(20, title="My leads", content="<p>Ring the strata managers.</p>", visibility="creator_only",
                   created_by=users["Jack"], **blank)  # fmt: skip
    s.store.add("notepad", [*notes, pay, own])
    entry = s.record(40, record_id=pay["id"], notepad_id=pay["id"], principal_type="role", user_id=None, role_name="client_admin")
    s.store.add("access_entry", [entry])
