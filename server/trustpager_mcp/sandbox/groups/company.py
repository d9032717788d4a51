"""The workspace's own company and its team: profiles, roles, preferences, connections."""

from __future__ import annotations

import re
from typing import Any

from ..engine import Answer, Call, Handler, change, clear_references, everything
from ..errors import ApiError, invalid, not_found
from ..mail import notify
from ..seed import Seeder
from ..store import Record

_ROLES = {"admin": "client_admin", "installer": "client_viewer"}
_OVERRIDES = ("phone", "job_title", "department")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TITLES = {
    "admin": ("Director", "Management"), "sales": ("Sales consultant", "Sales"),
    "operations": ("Operations manager", "Operations"), "installer": ("Installer", "Field"),
}  # fmt: skip


def own(call: Call) -> Record:
    """The workspace's company."""
    return call.store.all("own_company")[0]


def _update_company(call: Call) -> Answer:
    if not call.body.get("name", own(call)["name"]).strip():
        raise invalid("name must not be empty", field="name")
    slug = call.body.get("slug")
    if slug is not None and not _SLUG.fullmatch(slug):
        raise invalid("slug takes lower-case letters, digits and single hyphens", field="slug")
    return Answer(change(call, "own_company", own(call), call.body))


def _member(call: Call) -> tuple[Record, Record, Record]:
    """User, membership and workspace settings of the user that the path names. Raises 404 NOT_FOUND."""
    user_id = call.ids["userId"]
    user, membership = call.store.get("user", user_id), call.store.get("membership", user_id)
    if user is None or membership is None:
        raise not_found("user", user_id)
    return user, membership, call.store.get("user_settings", user_id) or {"id": user_id}


def _enriched(user: Record, membership: Record, settings: Record) -> Record:
    """Membership and profile; what is set for this workspace goes before the global profile."""
    profile = {name: settings.get(name) or user.get(name) for name in _OVERRIDES}
    return {
        "user_id": user["id"], "full_name": user["name"], "email": user["email"], **profile,
        "role": membership["role"], "status": membership["status"], "created_at": membership["created_at"],
    }  # fmt: skip


def _users(call: Call) -> Answer:
    store = call.store
    shown = []
    for membership in reversed(store.all("membership")):
        if (user := store.get("user", membership["id"])) is not None:
            shown.append(_enriched(user, membership, store.get("user_settings", user["id"]) or {}))
    return everything(shown)


def _invite(call: Call) -> Answer:
    email = call.body["email"]
    if any(str(u["email"]).lower() == email.lower() for u in call.store.all("user")):
        raise ApiError(409, "CONFLICT", f"{email} is a member of this workspace already")
    name = call.body.get("full_name") or email.split("@")[0]
    user = call.fresh({"name": name, "email": email, "role": "invited", "avatar_url": None, **dict.fromkeys(_OVERRIDES)})
    stamps = {k: user[k] for k in ("id", "created_at", "updated_at")}
    membership = {**stamps, "role": call.body["role"], "status": "invited"}
    call.store.add("user", [user])
    call.store.add("membership", [membership])
    company = own(call)["name"]
    notify(call.world, "invitation", email, f"Join {company} on TrustPager", f"{name}, you are invited to {company}.")
    return Answer(_enriched(user, membership, {}), status=201)


def _remove(call: Call) -> Answer:
    """Access ends; what the person did stays, without an assignee. Their tokens stop working."""
    user, _, _ = _member(call)
    if len(call.store.all("membership")) == 1:
        raise ApiError(409, "CONFLICT", "the last member of a workspace cannot be removed")
    for kind in ("user", "membership", "user_settings"):
        call.store.delete(kind, user["id"])
    for kind in ("gmail_connection", "granted_token"):
        for record in call.store.all(kind, user_id=user["id"]):
            call.store.delete(kind, record["id"])
    clear_references(call, user["id"], ("task", "assigned_to"), ("work_order", "assigned_to"))
    call.store.unlink_everywhere(user["id"])
    return Answer(status=204)


def _personal(call: Call) -> Answer:
    user, membership, _ = _member(call)
    profile = {name: user.get(name) for name in _OVERRIDES}
    return Answer({
        "id": user["id"], "full_name": user["name"], "email": user["email"], "avatar_url": user.get("avatar_url"),
        "status": membership["status"], **profile, "created_at": user["created_at"],
    })  # fmt: skip


def _settings(call: Call, names: tuple[str, ...]) -> Record:
    _, _, settings = _member(call)
    return {"user_id": settings["id"], **{name: settings.get(name) for name in names}}


def _set(call: Call, changes: Record) -> None:
    _, _, settings = _member(call)
    changed = {**settings, **changes, "updated_at": call.clock.iso()}
    if call.store.get("user_settings", settings["id"]):
        call.store.save("user_settings", changed)
    else:
        call.store.add("user_settings", [changed])


def _update_profile(call: Call) -> Answer:
    _set(call, call.body)
    return Answer(_settings(call, _OVERRIDES))


def _update_preferences(call: Call) -> Answer:
    call.reference("pipeline", call.body.get("default_pipeline_id"), "default_pipeline_id")
    _set(call, call.body)
    return Answer(_settings(call, ("default_pipeline_id",)))


def _connections(call: Call) -> Answer:
    """The member's mailboxes, as the sending endpoints know them."""
    user_id = _member(call)[0]["id"]
    return everything([
        {
            "id": c["id"], "user_id": user_id, "platform_type": "gmail", "platform_account_name": c["email"],
            "status": c["status"], "calendar_synced": c.get("calendar_synced", False), "gmail_aliases": c["send_as_aliases"],
            "created_at": c["created_at"], "updated_at": c["updated_at"],
        }
        for c in call.store.all("gmail_connection", user_id=user_id)
    ])  # fmt: skip


def _role(membership: Record) -> Record:
    return {"user_id": membership["id"], "role": membership["role"], "created_at": membership["created_at"]}


def _update_role(call: Call) -> Answer:
    membership = {**_member(call)[1], "role": call.body["role"], "updated_at": call.clock.iso()}
    call.store.save("membership", membership)
    return Answer(_role(membership))


def seed(s: Seeder) -> None:
    """Brightside Home Energy and its six people."""
    s.store.add("own_company", [s.record(
        365, name="Brightside Home Energy", slug="brightside-home-energy", contact_name="Mia Thornton", phone="+61291550100",
        description="Solar, batteries and heat pumps for homes around Sydney.", contact_email="hello@brightside.example",
        logo_url="https://brightside.example/logo.png", primary_color="#f59e0b", secondary_color="#0f172a",
        address="12 Foundry Lane, Marrickville NSW 2204", timezone="Australia/Sydney", industry="Home energy",
        website_url="https://brightside.example", abn="51 824 753 556",
    )])  # fmt: skip
    for user in reversed(s.store.all("user")):
        at = {"id": user["id"], "created_at": user["created_at"], "updated_at": user["created_at"]}
        title, department = _TITLES[user["role"]]
        phone = f"+6149157{s.rng.randint(8000, 9999)}"
        profile: dict[str, Any] = {"phone": phone, "job_title": title, "department": department, "avatar_url": None}
        s.store.save("user", {**user, **profile})
        s.store.add("membership", [{**at, "role": _ROLES.get(user["role"], "client_editor"), "status": "active"}])


HANDLERS: dict[str, Handler] = {
    "get_company_settings": lambda c: Answer(own(c)),
    "update_company_settings": _update_company,
    "list_company_users": _users,
    "get_company_user": lambda c: Answer(_enriched(*_member(c))),
    "invite_company_user": _invite,
    "get_personal_user_profile": _personal,
    "get_workspace_user_profile": lambda c: Answer(_settings(c, _OVERRIDES)),
    "update_workspace_user_profile": _update_profile,
    "list_workspace_user_connections": _connections,
    "get_workspace_user_role": lambda c: Answer(_role(_member(c)[1])),
    "update_workspace_user_role": _update_role,
    "get_workspace_user_preferences": lambda c: Answer(_settings(c, ("default_pipeline_id",))),
    "update_workspace_user_preferences": _update_preferences,
    "remove_company_user": _remove,
}
