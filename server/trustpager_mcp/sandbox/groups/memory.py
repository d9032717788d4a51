"""What agents noted for their later runs: kept by key, deleted softly, searched by meaning."""

from __future__ import annotations

from ..checks import moment
from ..engine import Answer, Call, Handler, change, everything, page
from ..errors import invalid, not_found
from ..meaning import rank
from ..seed import Seeder
from ..store import Record

_LIMIT, _THRESHOLD = 10, 0.15
_KEYED = ("agent_registry_id", "subject_type", "subject_id", "kind", "key")
_FILTERS = ("subject_type", "subject_id", "kind", "agent_registry_id", "visibility")
_DEFAULTS: Record = {
    "agent_registry_id": None, "subject_id": None, "key": None, "visibility": "private", "metadata": {}, "linked_entities": [],
    "tags": [], "confidence": 1.0, "source_kind": None, "source_id": None, "parent_memory_id": None, "expires_at": None,
    "deleted_at": None,
}  # fmt: skip


def _present(call: Call, memory: Record) -> bool:
    """Neither deleted nor expired."""
    expires = moment(memory["expires_at"])
    return memory["deleted_at"] is None and (expires is None or expires > call.clock.now())


def _must(call: Call) -> Record:
    memory = call.must("agent_memory", what="memory")
    if memory["deleted_at"] is not None:
        raise not_found("memory", memory["id"])
    return memory


def _checked(call: Call, fields: Record) -> Record:
    for name in ("subject_type", "kind", "content"):
        if name in fields and not fields[name].strip():
            raise invalid(f"{name} must not be empty", field=name)
    parent = fields.get("parent_memory_id")
    found = call.store.get("agent_memory", parent) if parent else None
    if parent and (found is None or found["deleted_at"] is not None):
        raise invalid(f"parent_memory_id: there is no memory {parent}", field="parent_memory_id")
    return fields


def _list(call: Call) -> Answer:
    q = call.query
    rows = call.store.numbered("agent_memory", **{k: q[k] for k in _FILTERS if k in q})
    rows = [(n, m) for n, m in rows if _present(call, m)]
    if "tag" in q:
        wanted = set(q["tag"] if isinstance(q["tag"], list) else [q["tag"]])
        rows = [(n, m) for n, m in rows if wanted & set(m["tags"])]
    if "linked_entity_type" in q:
        entity = (q["linked_entity_type"], q["linked_entity_id"])
        rows = [(n, m) for n, m in rows if any((e.get("type"), e.get("id")) == entity for e in m["linked_entities"])]
    if since := moment(q.get("since")):
        rows = [(n, m) for n, m in rows if (at := moment(m["created_at"])) is not None and at > since]
    return page(call, rows)


def _write(call: Call) -> Answer:
    """With a key that is known, deleted or not, the memory of that key is what it now says."""
    fields = {**_DEFAULTS, **_checked(call, call.body)}
    if fields["key"] is not None:
        same = {name: fields[name] for name in _KEYED}
        for known in call.store.all("agent_memory", **same):
            renewed = {**fields, "embedded_at": call.clock.iso()}
            return Answer(change(call, "agent_memory", known, renewed))
    record = call.fresh({**fields, "embedded_at": call.clock.iso()})
    call.store.add("agent_memory", [record])
    return Answer(record, status=201)


def _update(call: Call) -> Answer:
    memory, changes = _must(call), dict(_checked(call, call.body))
    if "content" in changes and changes["content"] != memory["content"]:
        changes["embedded_at"] = call.clock.iso()
    return Answer(change(call, "agent_memory", memory, changes))


def _delete(call: Call) -> Answer:
    """The row stays for the audit."""
    change(call, "agent_memory", _must(call), {"deleted_at": call.clock.iso()})
    return Answer(status=204)


def _search(call: Call) -> Answer:
    body = call.body
    memories = [m for m in call.store.all("agent_memory", **{k: body[k] for k in _FILTERS if k in body}) if _present(call, m)]
    scores = rank(body["query"], [f"{m['kind']} {m['content']} {' '.join(m['tags'])}" for m in memories])
    found = sorted(zip(scores, memories, strict=True), key=lambda pair: -pair[0])
    least = max(body.get("threshold", _THRESHOLD), 0.0001)
    return everything([{**m, "similarity": score} for score, m in found if score >= least][: body.get("limit", _LIMIT)])


HANDLERS: dict[str, Handler] = {
    "list_agent_memories": _list,
    "write_agent_memory": _write,
    "get_agent_memory": lambda c: Answer(_must(c)),
    "update_agent_memory": _update,
    "delete_agent_memory": _delete,
    "search_agent_memories": _search,
}

_NOTES = (
    ("objection", "Finds the battery too expensive without the state rebate.", "objection:pricing"),
    ("preference", "Wants to be rung after four in the afternoon, never by email.", "channel:phone"),
    ("observation", "Mentioned a second property in Geelong that also needs panels.", "upsell:second-site"),
    ("next_steps", "Ring again once the council has approved the roof work.", "waiting:council"),
    ("fact", "The switchboard was replaced in 2021, so it need not be quoted.", "site:switchboard"),
    ("objection", "Compares us with a competitor who leaves out monitoring.", "competitor:other"),
)


def seed(s: Seeder) -> None:
    """Notes of the agent that watches the pipeline."""
    (agent,) = s.store.all("registered_agent", name="pipeline-watch")
    agent_id, rows = agent["id"], []
    for i, contact in enumerate(s.rng.sample(s.store.all("contact"), 30)):
        kind, content, tag = _NOTES[i % len(_NOTES)]
        row = s.record(90 - i * 2.5, **{**_DEFAULTS, "subject_type": "contact", "subject_id": contact["id"], "kind": kind})
        row |= {"content": content, "tags": [tag], "agent_registry_id": agent_id, "embedded_at": row["created_at"]}
        rows.append({**row, "visibility": "shared" if i % 3 == 0 else "private", "source_kind": "transcript"})
    s.store.add("agent_memory", rows)
