"""The seeded workspace: believable, big enough to matter, and the same for the same seed."""

from __future__ import annotations

from tests.contract.test_sandbox_support import make
from trustpager_mcp.sandbox.checks import moment

SIZES = {
    "contact": 400,
    "company": 120,
    "opportunity": 300,
    "product": 40,
    "activity": 600,
    "task": 150,
    "pipeline": 3,
    "user": 6,
}
GROUPS = (
    "work_order", "automation", "automation_action", "auto_queue", "auto_queue_step", "auto_queue_enrollment", "auto_schedule",
    "auto_schedule_run", "scheduling_availability", "scheduled_event_type", "booking", "calendar_event", "scheduled_communication",
)  # fmt: skip


def test_the_same_seed_makes_the_same_workspace_and_another_seed_another() -> None:
    one, two, other = (make(seed=seed).workspace.store for seed in (1, 1, 2))
    for kind in (*SIZES, *GROUPS, "opportunity_product", "invoice", "file"):
        assert one.all(kind) == two.all(kind)
    assert one.all("contact") != other.all("contact")
    assert one.linked("card", one.all("opportunity")[0]["id"]) == two.linked("card", two.all("opportunity")[0]["id"])


def test_the_workspace_has_the_promised_size() -> None:
    store = make().workspace.store
    assert {kind: len(store.all(kind)) for kind in SIZES} == SIZES


def test_nothing_happened_in_the_future_and_something_in_every_month() -> None:
    workspace = make().workspace
    months = set()
    for kind in (*SIZES, *GROUPS):
        for record in workspace.store.all(kind):
            created, updated = moment(record["created_at"]), moment(record["updated_at"])
            assert created is not None
            assert updated is not None
            assert created <= updated <= workspace.clock.now()
            if kind == "activity":
                months.add(f"{created:%Y-%m}")
    assert len(months) >= 12


async def test_open_deals_are_stale_and_fresh_and_have_owners_and_values() -> None:
    api = make()
    deals = [*await api.get("/opportunities", status="open", limit=100, expand="assigned_users")]
    touched = sorted(d["updated_at"] for d in deals)
    assert touched[0] < "2026-05-01"
    assert touched[-1] > "2026-06-08"
    assert all(d["assigned_users"] and d["placements"] and d["value"] > 0 for d in deals)
    assert any(d["tags"] for d in deals)


async def test_won_deals_stand_in_the_last_stage_of_a_pipeline() -> None:
    api = make()
    last = {p["stages"][-1]["id"] for p in await api.get("/pipelines")}
    for deal in await api.get("/opportunities", status="won", limit=100):
        assert last & {p["stage_id"] for p in deal["placements"]}


async def test_a_fresh_workspace_sends_nothing_for_some_weeks_but_what_its_schedules_say() -> None:
    api = make()
    assert (await api.ok("POST", "/__sandbox/clock", {"advance_seconds": 1}))["jobs_run"] == 0
    await api.ok("POST", "/__sandbox/clock", {"advance_seconds": 14 * 86400})
    assert {m["channel"] for m in (await api.ok("GET", "/__sandbox/outbox"))["outbox"]} == {"slack"}
    assert all(api.workspace.store.all(kind) for kind in GROUPS)


async def test_every_seeded_number_keeps_the_rules_that_the_api_enforces() -> None:
    api = make()
    fields = ("first_name", "last_name", "email", "phone", "landline", "job_title", "source", "metadata", "city", "date_of_birth")
    people = [{k: c[k] for k in fields} for c in await api.get("/contacts", limit=100)]
    assert (await api.ok("POST", "/contacts/bulk-create", {"records": people}, status=201))["errors"] == []
    firms = [{k: c[k] for k in ("name", "email", "phone", "landline", "website")} for c in await api.get("/companies", limit=100)]
    assert (await api.ok("POST", "/companies/bulk-create", {"records": firms}, status=201))["errors"] == []


async def test_what_people_wrote_is_as_long_and_as_marked_up_as_in_a_real_workspace() -> None:
    api = make()
    people = await api.get("/contacts", limit=100)
    assert 30 < sum("<li>" in (c["notes"] or "") for c in people) < 90
    assert any(c["metadata"].get("cf_meter_number") and c["metadata"].get("quick_links") for c in people)
    (link,) = (await api.get("/company/crm-settings"))["quick_links"]
    assert {k for c in people for k in c["metadata"].get("quick_links", {})} == {link["id"]}
    logged = await api.get("/activities", limit=100)
    assert min(len(a["description"]) for a in logged) > 100
    assert len({a["created_by"] for a in logged}) > 3
    firms = await api.get("/companies", limit=100)
    assert all(f["city"] and f["tax_number"] and f["timezone"] for f in firms)
