"""Enrolments in auto queues: one timer for every step, at the step's delay after the anchor."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..store import Record
from ..world import World


def steps_of(world: World, queue_id: str) -> list[Record]:
    """The steps in their order."""
    return sorted(world.store.all("auto_queue_step", queue_id=queue_id), key=lambda s: (s["position"], s["created_at"]))


def enrol(world: World, queue: Record, ids: Record, anchor: datetime, trigger_data: Record) -> list[Record]:
    """Timers for every step. `ids` are contact_id, deal_id and customer_id."""
    timers = [
        world.fresh(
            {
                "queue_id": queue["id"], "step_id": step["id"], "status": "pending",
                "scheduled_for": _iso(anchor + timedelta(minutes=step["delay_minutes"])), "enrollment_time": _iso(anchor),
                "contact_id": None, "customer_id": None, "deal_id": None, **ids,
                "trigger_data": trigger_data, "executed_at": None, "run_id": None, "last_error": None,
            }
        )
        for step in steps_of(world, queue["id"])
    ]  # fmt: skip
    world.store.add("auto_queue_enrollment", timers)
    return timers


def pending(world: World, queue_id: str) -> list[Record]:
    return world.store.all("auto_queue_enrollment", queue_id=queue_id, status="pending")


def cancel_pending(world: World, queue_id: str, ids: Record) -> int:
    """Cancel what waits for the contact or, where none is named, the opportunity; how many timers that were."""
    name = "contact_id" if ids.get("contact_id") else "deal_id"
    waiting = [t for t in pending(world, queue_id) if ids.get(name) and t[name] == ids[name]]
    for timer in waiting:
        world.store.save("auto_queue_enrollment", {**timer, "status": "cancelled", "updated_at": world.clock.iso()})
    return len(waiting)


def cancel_of_booking(world: World, booking_id: str) -> None:
    """Cancel what waits because of a booking: its event type had enrolled the booker."""
    for timer in world.store.all("auto_queue_enrollment", status="pending"):
        if timer["trigger_data"].get("booking_id") == booking_id:
            world.store.save("auto_queue_enrollment", {**timer, "status": "cancelled", "updated_at": world.clock.iso()})


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
