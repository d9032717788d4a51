"""The four ready-made dashboards."""

from __future__ import annotations

from ..store import Record

_COUNT = {"field": "id", "aggregation": "count", "alias": "count"}
_VALUE = {"field": "value", "aggregation": "sum", "alias": "value"}
_AVERAGE = {"field": "value", "aggregation": "avg", "alias": "average"}
_OPEN = {"field": "status", "operator": "eq", "value": "open"}
_WON = {"field": "status", "operator": "eq", "value": "won"}
_LOST = {"field": "status", "operator": "eq", "value": "lost"}
_OVERDUE = {"field": "is_overdue", "operator": "eq", "value": True}
_PENDING = {"field": "status", "operator": "neq", "value": "completed"}


def _card(
    title: str,
    chart: str,
    source: str,
    measures: list[Record],
    size: str = "md",
    columns: tuple[str, ...] = (),
    **query: object,
) -> Record:
    spec = {"source": source, "measures": measures, **query}
    display = {"columns": list(columns)} if columns else None
    return {"title": title, "visualization_type": chart, "size": size, "query_spec": spec, "display_config": display}


def _monthly(field: str) -> Record:
    return {"field": field, "granularity": "month"}


TEMPLATES: dict[str, Record] = {
    "sales_overview": {
        "name": "Sales overview", "description": "What was won, what is open and where it stands.",
        "cards": (
            _card("Won value", "stat", "deals", [_VALUE], "sm", filters=[_WON]),
            _card("Open value", "stat", "deals", [_VALUE], "sm", filters=[_OPEN]),
            _card("Average deal won", "stat", "deals", [_AVERAGE], "sm", filters=[_WON]),
            _card("Won by month", "bar", "deals", [_VALUE, _COUNT], "lg", filters=[_WON], time_dimension=_monthly("won_at")),
            _card("Open deals by stage", "horizontal_bar", "deals", [_COUNT], dimensions=["stage_name"], filters=[_OPEN]),
            _card("Won, lost and open", "donut", "deals", [_COUNT], dimensions=["status"]),
        ),
    },
    "staff_accountability": {
        "name": "Staff accountability", "description": "Who sells, who works, and what lies about.",
        "cards": (
            _card("Won by salesperson", "bar", "deals", [_VALUE, _COUNT], dimensions=["assigned_user_name"], filters=[_WON]),
            _card("Open deals by salesperson", "bar", "deals", [_COUNT], dimensions=["assigned_user_name"], filters=[_OPEN]),
            _card("Open tasks by person", "horizontal_bar", "tasks", [_COUNT], dimensions=["assignee_name"], filters=[_PENDING]),
            _card("Overdue tasks", "stat", "tasks", [_COUNT], "sm", filters=[_OVERDUE]),
            _card(
                "Overdue list", "table", "tasks", [_COUNT], "lg", mode="drilldown", filters=[_OVERDUE], limit=25,
                dimensions=["assignee_name", "client", "priority"],
                columns=("assignee_name", "client", "priority", "due_date"),
                order_by=[{"field": "due_date", "direction": "asc"}],
            ),
        ),
    },
    "pipeline_health": {
        "name": "Pipeline health", "description": "How much is in each stage, what is new and why deals are lost.",
        "cards": (
            _card("Open deals", "stat", "deals", [_COUNT], "sm", filters=[_OPEN]),
            _card("Value by stage", "bar", "deals", [_VALUE], "lg", dimensions=["stage_name"], filters=[_OPEN]),
            _card("New deals by week", "line", "deals", [_COUNT],
                  time_dimension={"field": "deal_created_at", "granularity": "week"}),
            _card("Why deals are lost", "pie", "deals", [_COUNT], dimensions=["lost_reasons"], filters=[_LOST]),
            _card(
                "Biggest open deals", "table", "deals", [_COUNT], "lg", mode="drilldown", filters=[_OPEN], limit=10,
                dimensions=["stage_name", "assigned_user_name"], columns=("stage_name", "assigned_user_name", "value"),
                order_by=[{"field": "value", "direction": "desc"}],
            ),
        ),
    },
    "marketing_roi": {
        "name": "Marketing ROI", "description": "Where deals come from and what each source brings in.",
        "cards": (
            _card("Deals by source", "donut", "deals", [_COUNT], dimensions=["lead_source"]),
            _card("Won value by source", "bar", "deals", [_VALUE, _COUNT], dimensions=["lead_source"], filters=[_WON]),
            _card("Average deal by source", "horizontal_bar", "deals", [_AVERAGE], dimensions=["lead_source"]),
            _card("New deals by month and source", "area", "deals", [_COUNT], "lg", dimensions=["lead_source"],
                  time_dimension=_monthly("deal_created_at")),
        ),
    },
}  # fmt: skip


def catalogue() -> list[Record]:
    """The templates as GET /reports/templates lists them."""
    return [
        {"key": key, "name": t["name"], "description": t["description"], "card_count": len(t["cards"]),
         "cards": [{"title": c["title"], "visualization_type": c["visualization_type"]} for c in t["cards"]]}
        for key, t in TEMPLATES.items()
    ]  # fmt: skip


def cards_of(key: str, pipeline_id: str | None) -> list[Record]:
    """A template's cards; with a pipeline, each counts only what is in it."""
    scope = [{"field": "pipeline_id", "operator": "eq", "value": pipeline_id}] if pipeline_id else []
    return [
        {**card, "query_spec": {**card["query_spec"], "filters": [*scope, *card["query_spec"].get("filters", ())]}}
        for card in TEMPLATES[key]["cards"]
    ]
