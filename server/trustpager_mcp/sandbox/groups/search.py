"""Universal search: 1.0 for an exact substring, trigram similarity for names else (reference: POST /search)."""

from __future__ import annotations

from ..engine import Answer, Call, Handler, contains, everything, sought
from ..store import Record
from ..trigram import best_similarity
from . import contacts

# pg_trgm's default threshold for a match.
_THRESHOLD = 0.3


def _rank(query: str, name: str, record: Record) -> float:
    if contains({"name": name, **record}, query, "name", "email", "phone", "landline"):
        return 1.0
    return best_similarity(query, name)


def _search(call: Call) -> Answer:
    query = sought(call)
    hits: list[Record] = []

    def consider(kind: str, record: Record, name: str, subtitle: str | None) -> None:
        rank = _rank(query, name, record)
        if rank >= _THRESHOLD:
            shown = {"id": record["id"], "entity_type": kind, "display_name": name, "subtitle": subtitle}
            hits.append({**shown, "rank": round(rank, 3)})

    for record in call.store.all("contact"):
        consider("contact", record, contacts.view(record)["display_name"], record.get("email") or record.get("phone"))
    for record in call.store.all("company"):
        consider("customer", record, record["name"], record.get("industry"))
    for record in call.store.all("opportunity"):
        consider("deal", record, record["name"], record.get("status"))
    hits.sort(key=lambda h: (-h["rank"], h["display_name"], h["id"]))
    return everything(hits[: call.body.get("limit", 25)])


HANDLERS: dict[str, Handler] = {"search_everything": _search}
