"""Bookable working hours: the company's, and those of single team members."""

from __future__ import annotations

from ..business_hours import availability
from ..engine import Answer, Call, Handler, change
from ..errors import invalid, not_found
from ..seed import Seeder
from ..store import Record
from ..zones import must_be_iana


def _user(call: Call, named: str | None) -> str | None:
    """Whose hours: nobody's means the company's. `me` is the workspace's first admin, who owns every sandbox key."""
    if named is None:
        return None
    users = list(reversed(call.store.all("user")))
    found = next((u for u in users if u["role"] == "admin"), None) if named == "me" else call.store.get("user", named)
    if found is None:
        raise not_found("user", named)
    return str(found["id"])


def _get(call: Call) -> Answer:
    user_id = _user(call, call.query.get("user_id"))
    own = availability(call.store, user_id)
    inherited = user_id is not None and "id" not in own
    return Answer({**(availability(call.store) if inherited else own), "user_id": user_id, "inherited": inherited})


def _check(fields: Record) -> None:
    for i, hours in enumerate(fields.get("weekly_hours") or []):
        if hours["start"] >= hours["end"]:
            raise invalid("start must be before end", field=f"weekly_hours.{i}")
    for i, override in enumerate(fields.get("date_overrides") or []):
        if override["type"] == "custom" and not ("start" in override and "end" in override):
            raise invalid("a custom override needs start and end", field=f"date_overrides.{i}")
        if "start" in override and "end" in override and override["start"] >= override["end"]:
            raise invalid("start must be before end", field=f"date_overrides.{i}")
    if "timezone" in fields:
        must_be_iana(fields["timezone"])


def _set(call: Call) -> Answer:
    """Create or change; what the body leaves out stays as it is."""
    fields = {k: v for k, v in call.body.items() if k != "user_id" and v is not None}
    user_id = _user(call, call.body.get("user_id"))
    _check(fields)
    known = availability(call.store, user_id)
    if "id" in known:
        return Answer(change(call, "scheduling_availability", known, fields))
    record = call.fresh({**known, **fields})
    call.store.add("scheduling_availability", [record])
    return Answer(record)


def seed(s: Seeder) -> None:
    week = [{"day": day, "start": "08:30", "end": "17:00"} for day in range(1, 6)]
    holidays = [{"date": f"{s.now.year}-12-25", "type": "blocked", "reason": "Christmas"},
                {"date": f"{s.now.year}-12-24", "type": "custom", "start": "09:00", "end": "12:00"}]  # fmt: skip
    company = s.record(300, user_id=None, weekly_hours=week, timezone="Australia/Sydney", date_overrides=holidays)
    installer = next(u for u in s.store.all("user") if u["role"] == "installer")
    early = [{"day": day, "start": "07:00", "end": "15:00"} for day in range(1, 6)]
    own = s.record(250, user_id=installer["id"], weekly_hours=early, timezone="Australia/Brisbane", date_overrides=[])
    s.store.add("scheduling_availability", [company, own])


HANDLERS: dict[str, Handler] = {"get_scheduling_availability": _get, "set_scheduling_availability": _set}
