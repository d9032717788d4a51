"""The document library: entries, and the papers that forms and signing render into it."""

from __future__ import annotations

from .. import sample_files, stored_files
from ..engine import Answer, Call, Handler, everything
from ..errors import invalid, not_found
from ..seed import Seeder
from ..store import Record
from ..world import World
from . import files

# Fields of a document that name an opportunity, contact or company.
_LINKS = ("deal_id", "contact_id", "customer_id")


def archive(call: Call | World, content: bytes, **fields: object) -> Record:
    """A new PDF in the library, attached to the opportunity that it names."""
    defaults = {"folder": None, "document_type": "Other", "description": None, "uploaded_by": None, **dict.fromkeys(_LINKS)}
    record = call.fresh({**defaults, **fields, "mime_type": "application/pdf", "file_size": len(content)})
    call.store.add("document", [record])
    stored_files.put(call.store, record["id"], content)
    if record["deal_id"]:
        call.store.link("opportunity_document", record["deal_id"], record["id"])
    return record


def _must(call: Call) -> Record:
    record = stored_files.find(call.store, call.ids["id"])
    if record is None or stored_files.type_of(record) != "document":
        raise not_found("document", call.ids["id"])
    return record


def _create(call: Call) -> Answer:
    """An entry without contents."""
    if not call.body["name"].strip():
        raise invalid("name must not be empty", field="name")
    defaults = {"folder": None, "document_type": "Other", "description": None, "mime_type": None, "file_size": None}
    record = call.fresh({**defaults, **call.body})
    call.store.add("document", [record])
    return Answer(files.view(call.world, record), status=201)


def _delete(call: Call) -> Answer:
    files.delete(call, _must(call)["id"])
    return Answer(status=204)


def seed(s: Seeder) -> None:
    """Contents for the proposals that hang on opportunities."""
    for record in reversed(s.store.all("document")):
        content = sample_files.pdf(record["name"], "Supply and installation of a 6.6 kW solar system.", "Valid for 30 days.")
        about = {"folder": "Proposals", "description": None, "mime_type": "application/pdf", "file_size": len(content)}
        s.store.save("document", {**record, **about, "document_type": "Proposal"})
        stored_files.put(s.store, record["id"], content)


HANDLERS: dict[str, Handler] = {
    "list_documents": lambda c: files.listed(c, "document"),
    "get_document": lambda c: Answer(files.view(c.world, _must(c))),
    "create_document": _create,
    "delete_document": _delete,
    "download_document": lambda c: files.download(c, _must(c)),
    "list_document_folders": lambda c: everything(files.folders_of(c, "document")),
}
