"""Sender identities of the company's mail."""

from __future__ import annotations

import re
from typing import Any

from ..engine import Answer, Call, Handler, change, everything
from ..errors import ApiError
from ..mail import DOMAIN, check_alias, gmail_of
from ..ordered import named
from ..seed import Seeder
from ..store import Record

_HANDLE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_DEFAULTS: Record = {
    "config_name": None, "logo_url": None, "primary_color": "#3b82f6", "is_default": False, "gmail_sender_user_id": None,
    "gmail_sender_alias": None,
}  # fmt: skip


def _check_sender(body: dict[str, Any]) -> None:
    """The codes that the reference has for the sender's address."""
    if "from_email" in body:
        raise ApiError(
            400, "FROM_EMAIL_NOT_WRITABLE",
            f"from_email is made by the server; give from_email_handle, the part before @{DOMAIN}", {"field": "from_email"},
        )  # fmt: skip
    handle = body.get("from_email_handle")
    if handle is not None and not (isinstance(handle, str) and _HANDLE.fullmatch(handle)):
        raise ApiError(
            400, "INVALID_FROM_EMAIL_HANDLE",
            "from_email_handle must be 1 to 64 of a-z, 0-9, dot, underscore and hyphen, and begin with a letter or digit",
            {"field": "from_email_handle"},
        )  # fmt: skip


def _fields(call: Call, before: Record) -> Record:
    """The body as stored fields. Raises GMAIL_USER_REQUIRED, GMAIL_NOT_CONNECTED, ALIAS_NOT_CONNECTED."""
    fields = dict(named(call.body, "from_name"))
    if handle := fields.pop("from_email_handle", None):
        fields |= {"from_email_handle": handle, "from_email": f"{handle}@{DOMAIN}"}
    if "gmail_sender_alias" in fields or "gmail_sender_user_id" in fields:
        user_id = fields.get("gmail_sender_user_id", before.get("gmail_sender_user_id"))
        alias = fields.get("gmail_sender_alias", before.get("gmail_sender_alias"))
        if alias and not user_id:
            message = "gmail_sender_alias needs gmail_sender_user_id: the user whose Gmail account has the alias"
            raise ApiError(400, "GMAIL_USER_REQUIRED", message)
        if user_id:
            connection = gmail_of(call.store, user_id)
            if alias:
                fields["gmail_sender_alias"] = check_alias(connection, alias)
    return fields


def _only_default(call: Call, config: Record) -> None:
    """One default at a time."""
    for other in call.store.all("email_config", is_default=True):
        if other["id"] != config["id"]:
            call.store.save("email_config", {**other, "is_default": False})


def _create(call: Call) -> Answer:
    fields = {**_DEFAULTS, **_fields(call, {})}
    fields["config_name"] = fields["config_name"] or fields["from_name"]
    fields["is_default"] = bool(fields["is_default"]) or not call.store.all("email_config")
    config = call.fresh(fields)
    call.store.add("email_config", [config])
    if config["is_default"]:
        _only_default(call, config)
    return Answer(config, status=201)


def _update(call: Call) -> Answer:
    config = call.must("email_config")
    updated = change(call, "email_config", config, _fields(call, config))
    if updated["is_default"]:
        _only_default(call, updated)
    return Answer(updated)


def _delete(call: Call) -> Answer:
    """The oldest of the others takes a deleted default's place, so that mail can still be sent."""
    config = call.must("email_config")
    call.store.delete("email_config", config["id"])
    others = call.store.all("email_config")
    if config["is_default"] and others:
        call.store.save("email_config", {**others[-1], "is_default": True})
    return Answer(status=204)


HANDLERS: dict[str, Handler] = {
    "list_email_configs": lambda c: everything(c.store.all("email_config")),
    "get_email_config": lambda c: Answer(c.must("email_config")),
    "create_email_config": _create,
    "update_email_config": _update,
    "delete_email_config": _delete,
}
CHECKS = {"create_email_config": _check_sender, "update_email_config": _check_sender}


def seed(s: Seeder) -> None:
    for age, handle, name, title in (
        (360, "office", "Brightside Energy", "Office"),
        (200, "service", "Brightside Service Team", "Service and warranty"),
    ):
        fields = {**_DEFAULTS, "config_name": title, "from_email_handle": handle, "from_email": f"{handle}@{DOMAIN}"}
        fields |= {"from_name": name, "staff_email": f"{handle}@brightside.example", "is_default": handle == "office"}
        s.store.add("email_config", [s.record(age, **fields)])
