"""Pipelines and stages, with counts and values."""

from __future__ import annotations

from ..engine import Answer, Call, Handler, change, clear_references, everything
from ..errors import ApiError
from ..store import Record
from . import opportunities


def _stages(call: Call, pipeline_id: str) -> list[Record]:
    """Stages in order, each with deal_count."""
    counts: dict[str, int] = {}
    for opportunity_id in call.store.linking("card", pipeline_id):
        for where, card in call.store.linked("card", opportunity_id):
            if where == pipeline_id:
                counts[card["stage_id"]] = counts.get(card["stage_id"], 0) + 1
    stages = sorted(call.store.all("stage", pipeline_id=pipeline_id), key=lambda s: (s["position"], s["created_at"]))
    return [{**s, "deal_count": counts.get(s["id"], 0)} for s in stages]


def _view(call: Call, pipeline: Record) -> Record:
    return {**pipeline, "stages": _stages(call, pipeline["id"])}


def _list(call: Call) -> Answer:
    return everything([_view(call, p) for p in reversed(call.store.all("pipeline"))])


def _create(call: Call) -> Answer:
    record = call.fresh({"name": call.body["name"]})
    call.store.add("pipeline", [record])
    return Answer(_view(call, record), status=201)


def _delete(call: Call) -> Answer:
    pipeline = call.must("pipeline")
    for stage in call.store.all("stage", pipeline_id=pipeline["id"]):
        call.store.delete("stage", stage["id"])
    call.store.unlink_everywhere(pipeline["id"])
    clear_references(call, pipeline["id"], ("user_settings", "default_pipeline_id"))
    call.store.delete("pipeline", pipeline["id"])
    return Answer(status=204)


def _create_stage(call: Call) -> Answer:
    pipeline = call.must("pipeline")
    last = max((s["position"] for s in call.store.all("stage", pipeline_id=pipeline["id"])), default=-1)
    stage = call.fresh({"pipeline_id": pipeline["id"], "color": "#3b82f6", "position": last + 1, **call.body})
    call.store.add("stage", [stage])
    return Answer({**stage, "deal_count": 0}, status=201)


def _stage(call: Call) -> Record:
    stage = call.must("stage", call.ids["stageId"])
    if stage["pipeline_id"] != call.must("pipeline")["id"]:
        raise ApiError(404, "NOT_FOUND", "the pipeline has no such stage")
    return stage


def _update_stage(call: Call) -> Answer:
    """A new position is a place in the order: the stages from there on move one further."""
    stage = _stage(call)
    if (wanted := call.body.get("position")) is not None:
        others = [s["id"] for s in _stages(call, stage["pipeline_id"]) if s["id"] != stage["id"]]
        for index, other in enumerate(others):
            call.store.save("stage", {**call.must("stage", other), "position": index + (index >= wanted)})
    change(call, "stage", stage, call.body)
    return Answer(next(s for s in _stages(call, stage["pipeline_id"]) if s["id"] == stage["id"]))


def _delete_stage(call: Call) -> Answer:
    stage = _stage(call)
    if any(s["id"] == stage["id"] and s["deal_count"] for s in _stages(call, stage["pipeline_id"])):
        raise ApiError(409, "CONFLICT", "the stage still holds opportunities; move them first")
    call.store.delete("stage", stage["id"])
    return Answer(status=204)


def _opportunities(call: Call) -> Answer:
    found = (call.store.get("opportunity", a) for a in call.store.linking("card", call.must("pipeline")["id"]))
    return everything([opportunities.view(call, r) for r in found if r])


def _summary(call: Call) -> Answer:
    pipeline = call.must("pipeline")
    values: dict[str, float] = {}
    for opportunity_id in call.store.linking("card", pipeline["id"]):
        record = call.store.get("opportunity", opportunity_id)
        for where, card in call.store.linked("card", opportunity_id):
            if record and where == pipeline["id"]:
                values[card["stage_id"]] = values.get(card["stage_id"], 0.0) + opportunities.value_of(call, record)
    stages = [
        {"id": s["id"], "name": s["name"], "count": s["deal_count"], "value": round(values.get(s["id"], 0.0), 2)}
        for s in _stages(call, pipeline["id"])
    ]
    total = {"total_count": sum(s["count"] for s in stages), "total_value": round(sum(s["value"] for s in stages), 2)}
    return Answer({"pipeline_id": pipeline["id"], "name": pipeline["name"], "stages": stages, **total})


HANDLERS: dict[str, Handler] = {
    "list_pipelines": _list,
    "get_pipeline": lambda c: Answer(_view(c, c.must("pipeline"))),
    "create_pipeline": _create,
    "update_pipeline": lambda c: Answer(_view(c, change(c, "pipeline", c.must("pipeline"), c.body))),
    "delete_pipeline": _delete,
    "list_pipeline_stages": lambda c: everything(_stages(c, c.must("pipeline")["id"])),
    "create_pipeline_stage": _create_stage,
    "update_pipeline_stage": _update_stage,
    "delete_pipeline_stage": _delete_stage,
    "list_pipeline_opportunities": _opportunities,
    "get_pipeline_summary": _summary,
}
