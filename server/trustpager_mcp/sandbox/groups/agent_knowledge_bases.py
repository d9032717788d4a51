"""Document collections that voice agents look things up in, kept level with the help center."""

from __future__ import annotations

import hashlib
from uuid import uuid4

from ..engine import Answer, Call, Handler, change, everything
from ..errors import ApiError
from ..ordered import named
from ..seed import Seeder
from ..store import Record, Store
from .agents import provisioned, voice_agent

_KIND, _DOCUMENT = "agent_kb", "agent_kb_document"


def _hash(title: str, text: str) -> str:
    return hashlib.sha256(f"{title}\n{text}".encode()).hexdigest()


def _document(call: Call, kb: Record, title: str, text: str, article: Record | None = None) -> Record:
    named({"title": title, "text": text}, "title", "text")
    record = call.fresh({
        "kb_id": kb["id"], "title": title, "text": text, "source_type": "help_center_article" if article else "manual",
        "source_id": article["id"] if article else None, "content_hash": _hash(title, text),
        "retell_doc_id": f"source_{uuid4().hex[:16]}",
    })  # fmt: skip
    call.store.add(_DOCUMENT, [record])
    return record


def _row(document: Record) -> Record:
    """A tracking row: the text itself lives with the provider."""
    return {k: v for k, v in document.items() if k != "text"}


def _documents(store: Store, kb: Record) -> list[Record]:
    return [_row(d) for d in reversed(store.all(_DOCUMENT, kb_id=kb["id"]))]


def _view(store: Store, kb: Record) -> Record:
    return {**kb, "document_count": len(store.all(_DOCUMENT, kb_id=kb["id"]))}


def _create(call: Call) -> Answer:
    body = named(call.body, "name")
    source = body.get("source", "custom")
    kb = call.fresh({
        "name": body["name"], "description": body.get("description"), "source": source, "status": "complete",
        "retell_knowledge_base_id": f"knowledge_base_{uuid4().hex[:16]}", "last_synced_at": None,
    })  # fmt: skip
    call.store.add(_KIND, [kb])
    if source == "help_center":
        _sync_articles(call, kb)
    else:
        for one in body.get("initial_texts") or []:
            _document(call, kb, one["title"], one["text"])
    kb = call.must(_KIND, kb["id"])
    return Answer({**_view(call.store, kb), "documents": _documents(call.store, kb)}, status=201)


def _delete(call: Call) -> Answer:
    """With its documents; agents keep naming it in their flows until it is taken out there."""
    kb = call.must(_KIND)
    for document in call.store.all(_DOCUMENT, kb_id=kb["id"]):
        call.store.delete(_DOCUMENT, document["id"])
    call.store.delete(_KIND, kb["id"])
    return Answer(status=204)


def _add(call: Call) -> Answer:
    kb = call.must(_KIND, call.ids["kb_id"])
    return Answer(_row(_document(call, kb, call.body["title"], call.body["text"])), status=201)


def _remove(call: Call) -> Answer:
    kb = call.must(_KIND, call.ids["kb_id"])
    document = call.must(_DOCUMENT, call.ids["doc_id"])
    if document["kb_id"] != kb["id"]:
        raise ApiError(404, "NOT_FOUND", f"knowledge base {kb['id']} has no document {document['id']}")
    call.store.delete(_DOCUMENT, document["id"])
    return Answer(status=204)


def _sync_articles(call: Call, kb: Record) -> Record:
    """Adds new articles, renews changed ones, removes those that are gone; says how many of each."""
    counts: dict[str, int] = dict.fromkeys(("added", "updated", "unchanged", "removed", "failed"), 0)
    held = {d["source_id"]: d for d in call.store.all(_DOCUMENT, kb_id=kb["id"], source_type="help_center_article")}
    for article in reversed(call.store.all("help_center_article")):
        known = held.pop(article["id"], None)
        if known is None:
            _document(call, kb, article["title"], article["content"], article)
            counts["added"] += 1
        elif known["content_hash"] == _hash(article["title"], article["content"]):
            counts["unchanged"] += 1
        else:
            content = {"title": article["title"], "text": article["content"]}
            renewed = {"content_hash": _hash(*content.values()), "retell_doc_id": f"source_{uuid4().hex[:16]}"}
            call.store.save(_DOCUMENT, {**known, **content, **renewed, "updated_at": call.clock.iso()})
            counts["updated"] += 1
    for gone in held.values():
        call.store.delete(_DOCUMENT, gone["id"])
        counts["removed"] += 1
    call.store.save(_KIND, {**kb, "last_synced_at": call.clock.iso(), "updated_at": call.clock.iso()})
    return counts


def _attach(call: Call) -> Answer:
    """Into the agent's draft; the live agent learns of it when it is published."""
    kb = call.must(_KIND, call.ids["kb_id"])
    agent = provisioned(voice_agent(call, "agent_id"))
    flow = agent["conversation_flow"] or {}
    known: list[str] = list(flow.get("knowledge_base_ids") or [])
    provider_id = kb["retell_knowledge_base_id"]
    attached = provider_id in known
    if not attached:
        known = list(dict.fromkeys([*known, provider_id]))
        draft = {"conversation_flow": {**flow, "knowledge_base_ids": known}, "has_unpublished_changes": True}
        change(call, "agent", agent, draft)
    return Answer({"kb_id": kb["id"], "agent_id": agent["id"], "already_attached": attached, "knowledge_base_ids": known})


HANDLERS: dict[str, Handler] = {
    "list_agent_knowledge_bases": lambda c: everything([_view(c.store, k) for k in c.store.all(_KIND)]),
    "get_agent_knowledge_base": lambda c: Answer(
        {**_view(c.store, c.must(_KIND)), "documents": _documents(c.store, c.must(_KIND))}
    ),
    "create_agent_knowledge_base": _create,
    "delete_agent_knowledge_base": _delete,
    "list_agent_knowledge_documents": lambda c: everything(_documents(c.store, c.must(_KIND, c.ids["kb_id"]))),
    "add_agent_knowledge_document": _add,
    "remove_agent_knowledge_document": _remove,
    "sync_help_center_to_knowledge_base": lambda c: Answer(_sync_articles(c, c.must(_KIND, c.ids["kb_id"]))),
    "attach_agent_knowledge_base": _attach,
}

_ARTICLES = (
    ("Connect your mailbox", "Open Settings, then Email, and sign in with Google. Aliases appear within a minute."),
    ("Import contacts from a spreadsheet", "Save it as CSV, match the columns, and check the preview before you import."),
    ("Move a card between stages", "Drag it, or open the opportunity and choose the stage."),
    ("Publish a voice agent", "Save the draft, test it with a call to yourself, then publish."),
    ("Set your business hours", "Company settings hold them; scheduled calls respect them."),
    ("Send a document for signing", "Choose the signers in order. Each gets a link by email."),
    ("Create a booking page", "Set availability first, then the event type, then share its link."),
    ("Export a report", "Open the report and choose CSV or XLSX."),
)
_TEXTS = (
    ("Call-out fee", "A call-out costs 195 dollars and is taken off the job when it goes ahead."),
    ("Service area", "Sydney, Newcastle, Melbourne and Geelong. Other places on request."),
    ("Warranty", "25 years on panels, ten on inverters and batteries, five on labour."),
)


def seed(s: Seeder) -> None:
    s.store.add("help_center_article", [s.record(300 - i, title=t, content=c) for i, (t, c) in enumerate(_ARTICLES)])
    kb = s.record(
        120, name="Service FAQ", description="What callers ask most", source="custom", status="complete",
        retell_knowledge_base_id="knowledge_base_" + s.id().replace("-", "")[:16], last_synced_at=None,
    )  # fmt: skip
    s.store.add(_KIND, [kb])
    s.store.add(_DOCUMENT, [
        s.record(120 - i, kb_id=kb["id"], title=t, text=text, source_type="manual", source_id=None, content_hash=_hash(t, text),
                 retell_doc_id="source_" + s.id().replace("-", "")[:16])
        for i, (t, text) in enumerate(_TEXTS)
    ])  # fmt: skip
