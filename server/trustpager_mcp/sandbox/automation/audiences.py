"""Whom a schedule reaches: one row of trigger data for each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from ..checks import moment
from ..errors import invalid
from ..store import Record
from ..world import World
from .context import contact_values, deal_values

_FILTERS = {
    "users": {"roles", "user_ids"},
    "tasks_by_assignee": {"statuses", "include_overdue_only", "max_tasks_per_user"},
    "contacts": {"contact_type", "has_email", "limit"},
    "deals": {"status", "stale_days", "pipeline_id", "stage_ids", "limit"},
}
_MOST_ROWS = {"contacts": 500, "deals": 200}
_MOST_TASKS = 20


def check(audience_type: str, wanted: Record) -> None:
    """Raise VALIDATION_ERROR for a filter that the audience does not have, or one below its least value."""
    if unknown := sorted(set(wanted) - _FILTERS[audience_type]):
        allowed = ", ".join(sorted(_FILTERS[audience_type]))
        raise invalid(f"audience_filter of {audience_type} has {allowed}, not {', '.join(unknown)}", field="audience_filter")
    for name in ("limit", "stale_days", "max_tasks_per_user"):
        if name in wanted and wanted[name] < 1:
            raise invalid(f"audience_filter.{name} must be at least 1", field=f"audience_filter.{name}")


def resolve(world: World, audience_type: str, wanted: Record) -> list[Record]:
    """The rows as they are now, one per run."""
    return _ROWS[audience_type](world, wanted)


def _users(world: World, wanted: Record) -> list[Record]:
    """The team with the roles that its members have in the workspace (client_admin, client_editor, client_viewer)."""
    team = [(user, world.store.get("membership", user["id"]) or {}) for user in reversed(world.store.all("user"))]
    return [
        {"user": {**user, "role": membership.get("role")}, "user_id": user["id"]}
        for user, membership in team
        if ("roles" not in wanted or membership.get("role") in wanted["roles"])
        and ("user_ids" not in wanted or user["id"] in wanted["user_ids"])
    ]


def _tasks_by_assignee(world: World, wanted: Record) -> list[Record]:
    """`open` stands for every task that is not completed."""
    today = f"{world.clock.now():%Y-%m-%d}"
    statuses = set(wanted.get("statuses") or ["open"])
    rows = []
    for user in reversed(world.store.all("user")):
        tasks = [
            t
            for t in world.store.all("task", assigned_to=user["id"])
            if t["status"] in statuses or ("open" in statuses and t["status"] != "completed")
        ]
        overdue = [t for t in tasks if (t.get("due_date") or "9999") < today]
        chosen = overdue if wanted.get("include_overdue_only") else tasks
        if chosen:
            shown = sorted(chosen, key=lambda t: t.get("due_date") or "9999")[: wanted.get("max_tasks_per_user", _MOST_TASKS)]
            fields = [{k: t.get(k) for k in ("id", "title", "due_date", "priority", "status")} for t in shown]
            counts = {"task_count": len(chosen), "overdue_count": len(overdue)}
            rows.append({"user": user, "user_id": user["id"], "tasks": fields, **counts})
    return rows


def _contacts(world: World, wanted: Record) -> list[Record]:
    kind = wanted.get("contact_type")
    found = [
        c
        for c in world.store.all("contact")
        if (kind is None or str(c.get("contact_type") or "").lower() == kind.lower())
        and ("has_email" not in wanted or bool(c.get("email")) == wanted["has_email"])
    ]
    return [{"contact": contact_values(c), "contact_id": c["id"]} for c in found[: wanted.get("limit", _MOST_ROWS["contacts"])]]


def _deals(world: World, wanted: Record) -> list[Record]:
    store = world.store
    found = store.all("opportunity", **({"status": wanted["status"]} if "status" in wanted else {}))
    if "stale_days" in wanted:
        since = world.clock.now() - timedelta(days=wanted["stale_days"])
        found = [d for d in found if (at := moment(d.get("last_activity_at") or d["updated_at"])) is None or at < since]
    if "pipeline_id" in wanted or "stage_ids" in wanted:
        found = [d for d in found if _stands(store.linked("card", d["id"]), wanted)]
    return [
        {
            "deal": deal_values(world, d), "deal_id": d["id"],
            **{k: d[k] for k in ("contact_id", "customer_id") if d.get(k)},
        }
        for d in found[: wanted.get("limit", _MOST_ROWS["deals"])]
    ]  # fmt: skip


def _stands(cards: list[tuple[str, Record]], wanted: Record) -> bool:
    return any(
        ("pipeline_id" not in wanted or pipeline == wanted["pipeline_id"])
        and ("stage_ids" not in wanted or card["stage_id"] in wanted["stage_ids"])
        for pipeline, card in cards
    )


_ROWS: dict[str, Callable[[World, Record], list[Record]]] = {
    "users": _users,
    "tasks_by_assignee": _tasks_by_assignee,
    "contacts": _contacts,
    "deals": _deals,
}
