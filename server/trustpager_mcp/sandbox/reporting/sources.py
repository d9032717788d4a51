"""What reports measure: the rows of the two sources and the names, kinds and roles of their fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from ..company import setting
from ..people import name_of
from ..store import Record, Store
from ..world import World
from ..zones import must_find

AGGREGATIONS = ("count", "sum", "avg", "min", "max")


@dataclass(frozen=True)
class Row:
    """One deal or task.

    A deal may stand in several pipelines and belong to several people: `choices` holds, per group of fields that vary
    together, its values. They count only in queries that speak of them, so that no query counts a deal twice.
    """

    id: str
    name: str
    fields: Record
    choices: tuple[tuple[tuple[str, ...], tuple[Record, ...]], ...] = ()

    def spread(self, spoken_of: set[str]) -> Iterable[Record]:
        """The row's values, once for each combination of the choices that the query speaks of."""
        groups = [options or (dict.fromkeys(names),) for names, options in self.choices if spoken_of & set(names)]
        for combination in product(*groups):
            merged = dict(self.fields)
            for option in combination:
                merged.update(option)
            yield merged


@dataclass(frozen=True)
class Source:
    """A source's fields by role, each with its kind: text, number, boolean or date."""

    name: str
    label: str
    dimensions: dict[str, str]
    measures: dict[str, tuple[str, ...]]
    times: tuple[str, ...]
    ids: tuple[str, ...]
    default_columns: tuple[str, ...]
    rows: Callable[[World], list[Row]]
    virtual: dict[str, str] = field(default_factory=dict)
    """Display-only dimensions, with what they are made of."""

    @property
    def filterable(self) -> dict[str, str]:
        """Fields that filters and sorting take, with their kinds."""
        numbers = {name: "number" for name in self.measures if name != "id"}
        dates, ids = dict.fromkeys(self.times, "date"), dict.fromkeys(("id", *self.ids), "id")
        return {**self.dimensions, **numbers, **dates, **ids}


def today(world: World) -> str:
    """The workspace's date."""
    return f"{world.clock.now().astimezone(must_find(setting(world.store, 'timezone'))):%Y-%m-%d}"


def _placements(store: Store, deal_id: str) -> tuple[Record, ...]:
    found = []
    for pipeline_id, card in store.linked("card", deal_id):
        pipeline, stage = store.get("pipeline", pipeline_id), store.get("stage", card["stage_id"])
        if pipeline and stage:
            names = {"pipeline_name": pipeline["name"], "stage_name": stage["name"]}
            ids = {"pipeline_id": pipeline_id, "stage_id": stage["id"]}
            found.append({**ids, **names, "placed_at": card.get("entered_at")})
    return tuple(found)


def _reasons(deal: Record, name: str) -> tuple[Record, ...]:
    """Why a deal was won or lost: its own field or that of its metadata, one or several."""
    said = deal.get(name) or (deal.get("metadata") or {}).get(name) or ()
    return tuple({name: one} for one in ([said] if isinstance(said, str) else said))


def _deals(world: World) -> list[Row]:
    store, rows = world.store, []
    for deal in store.all("opportunity"):
        lines = store.all("opportunity_product", opportunity_id=deal["id"])
        total = round(sum(n["quantity"] * n["unit_price"] * (1 - (n.get("discount_percent") or 0) / 100) for n in lines), 2)
        users = (store.get("user", i) for i, _ in store.linked("opportunity_user", deal["id"]))
        products = [store.get("product", n["product_id"]) or {} for n in lines]
        categories = sorted({p["category"] for p in products if p.get("category")})
        fields = {
            "id": deal["id"], "status": deal["status"], "lead_source": deal.get("lead_source"), "currency": deal.get("currency"),
            "value": float(deal["value"]) if deal.get("value") is not None else total, "products_total_value": total,
            "product_count": len(lines), "contact_id": deal.get("contact_id"), "customer_id": deal.get("customer_id"),
            "deal_created_at": deal["created_at"], "won_at": deal.get("won_at"), "lost_at": deal.get("lost_at"),
        }  # fmt: skip
        choices = (
            (("pipeline_id", "pipeline_name", "stage_id", "stage_name", "placed_at"), _placements(store, deal["id"])),
            (
                ("assigned_user_id", "assigned_user_name"),
                tuple({"assigned_user_id": u["id"], "assigned_user_name": u["name"]} for u in users if u),
            ),
            (("won_reasons",), _reasons(deal, "won_reasons")),
            (("lost_reasons",), _reasons(deal, "lost_reasons")),
            (("product_names",), tuple({"product_names": n} for n in sorted({line["name"] for line in lines}))),
            (("product_categories",), tuple({"product_categories": c} for c in categories)),
        )
        rows.append(Row(deal["id"], deal["name"], fields, choices))
    return rows


def _tasks(world: World) -> list[Row]:
    store, rows, day = world.store, [], today(world)
    for task in store.all("task"):
        deal = store.get("opportunity", task.get("deal_id") or "")
        contact = store.get("contact", task.get("contact_id") or "")
        assignee = store.get("user", task.get("assigned_to") or "")
        category = store.get("task_category", task.get("category_id") or "")
        open_still = task["status"] not in ("completed", "cancelled")
        fields = {
            "id": task["id"], "status": task["status"], "priority": task.get("priority"),
            "category": category["name"] if category else None, "assignee_name": assignee["name"] if assignee else None,
            "deal_name": deal["name"] if deal else None, "contact_name": (name_of(contact) or None) if contact else None,
            "is_overdue": open_still and bool(task.get("due_date")) and str(task["due_date"])[:10] < day,
            "due_date": task.get("due_date"), "task_created_at": task["created_at"], "completed_at": task.get("completed_at"),
            "assignee_id": task.get("assigned_to"), "deal_id": task.get("deal_id"), "contact_id": task.get("contact_id"),
            "category_id": task.get("category_id"),
        }  # fmt: skip
        pipelines = store.linked("card", deal["id"]) if deal else ()
        choices = ((("pipeline_id",), tuple({"pipeline_id": i} for i, _ in pipelines)),)
        rows.append(Row(task["id"], task["title"], fields, choices))
    return rows


_NUMBERS = AGGREGATIONS
SOURCES = {
    "deals": Source(
        "deals", "Opportunities",
        dict.fromkeys(
            ("status", "pipeline_name", "stage_name", "assigned_user_name", "lead_source", "currency", "won_reasons",
             "lost_reasons", "product_names", "product_categories"), "text",
        ),
        {"id": ("count",), "value": _NUMBERS, "products_total_value": _NUMBERS, "product_count": _NUMBERS},
        ("deal_created_at", "won_at", "lost_at", "placed_at"),
        ("pipeline_id", "stage_id", "assigned_user_id", "contact_id", "customer_id"),
        ("status", "pipeline_name", "stage_name", "assigned_user_name", "lead_source", "value", "deal_created_at"), _deals,
    ),
    "tasks": Source(
        "tasks", "Tasks",
        {**dict.fromkeys(("status", "priority", "category", "assignee_name", "deal_name", "contact_name"), "text"),
         "is_overdue": "boolean"},
        {"id": ("count",)}, ("due_date", "task_created_at", "completed_at"),
        ("assignee_id", "deal_id", "contact_id", "category_id", "pipeline_id"),
        ("status", "priority", "assignee_name", "client", "due_date", "is_overdue"), _tasks,
        {"client": "contact_name, else deal_name"},
    ),
}  # fmt: skip


def catalogue() -> list[Record]:
    """The sources as GET /reports/sources lists them."""
    return [_described(source) for source in SOURCES.values()]


def _described(source: Source) -> Record:
    dimensions = [{"field": n, "label": label_of(n), "type": t, "virtual": False} for n, t in source.dimensions.items()]
    made = [{"field": n, "label": label_of(n), "type": "text", "virtual": True} for n in source.virtual]
    measures = [{"field": n, "label": label_of(n), "aggregations": list(a)} for n, a in source.measures.items()]
    filters = [{"field": n, "type": t} for n, t in source.filterable.items()]
    times = [{"field": n, "label": label_of(n)} for n in source.times]
    return {
        "source": source.name, "label": source.label, "measures": measures, "dimensions": [*dimensions, *made],
        "time_dimensions": times, "filters": filters,
    }  # fmt: skip


def label_of(name: str) -> str:
    """A field's name as a heading."""
    return name.replace("_", " ").capitalize()


def virtual_value(name: str, values: dict[str, Any]) -> Any:
    """A display-only dimension, made from the row's other values."""
    return (values.get("contact_name") or values.get("deal_name")) if name == "client" else None
