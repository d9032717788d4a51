"""Document templates and their sections."""

from __future__ import annotations

from ..engine import Answer, Call, Handler, change, everything
from ..errors import invalid
from ..ordered import Parts, named
from ..seed import Seeder
from ..store import Record

SECTION_TYPES = (
    "cover-page", "text-block", "two-column", "table", "product-table", "product-showcase", "image-block", "signature-block",
    "signer-input", "divider", "page-break", "quote-callout", "terms-conditions", "guarantee", "doc-header", "doc-footer",
    "dynamic-pricing", "dynamic-products", "dynamic-timeline", "dynamic-executive-summary", "dynamic-needs-solutions",
    "dynamic-recommendations", "dynamic-callout", "dynamic-guarantee", "rich-content", "product-brochure",
)  # fmt: skip
SECTIONS = Parts("document_section", "document_template", "template_id", "sectionId")
_DEFAULTS: Record = {"content": {}, "styling": {}, "is_visible": True}


def _checked(fields: Record, before: Record | None = None) -> Record:
    """A signer's input needs a label and the kind of its field."""
    after = {**(before or {}), **fields}
    if after["type"] not in SECTION_TYPES:
        raise invalid(f"type must be one of {', '.join(SECTION_TYPES)}", field="type")
    if after["type"] == "signer-input" and after.get("content"):
        for name in ("label", "fieldType"):
            if not after["content"].get(name):
                raise invalid(f"content.{name} is required for a signer-input", field=f"content.{name}")
    return fields


def _create(call: Call) -> Answer:
    record = call.fresh(named(call.body, "name"))
    call.store.add("document_template", [record])
    return Answer({**record, "sections": []}, status=201)


def _shown(call: Call, template: Record) -> Record:
    return {**template, "sections": SECTIONS.of(call.store, template["id"])}


def _delete(call: Call) -> Answer:
    """Envelopes and documents made from the template stay."""
    template = call.must("document_template")
    SECTIONS.delete_all(call, template["id"])
    call.store.delete("document_template", template["id"])
    return Answer(status=204)


def _duplicate(call: Call) -> Answer:
    template = call.must("document_template")
    copy = call.fresh({"name": f"{template['name']} (Copy)"})
    call.store.add("document_template", [copy])
    SECTIONS.copy(call, template["id"], copy["id"])
    return Answer(_shown(call, copy), status=201)


def _template_id(call: Call) -> str:
    return str(call.must("document_template")["id"])


def _add_section(call: Call) -> Answer:
    template_id = _template_id(call)
    return Answer(SECTIONS.add(call, template_id, {**_DEFAULTS, **_checked(call.body)}), status=201)


def _update_section(call: Call) -> Answer:
    section = SECTIONS.must(call, _template_id(call))
    return Answer(change(call, "document_section", section, _checked(call.body, section)))


def _delete_section(call: Call) -> Answer:
    call.store.delete("document_section", SECTIONS.must(call, _template_id(call))["id"])
    return Answer(status=204)


_SEEDS: tuple[tuple[str, tuple[tuple[str, Record], ...]], ...] = (
    ("Solar proposal", (
        ("cover-page", {"title": "Solar for {{contact.full_name}}", "subtitle": "Prepared on {{today}}"}),
        ("dynamic-executive-summary", {"text": "A system for {{deal.name}}, designed for your roof and your bills."}),
        ("product-table", {"title": "What is included"}),
        ("guarantee", {"title": "Our guarantee", "text": "Ten years on workmanship."}),
    )),
    ("Installation agreement", (
        ("text-block", {"heading": "Agreement", "text": "Between Brightside Home Energy and {{contact.full_name}}."}),
        ("dynamic-pricing", {"title": "Price"}),
        ("terms-conditions", {"title": "Terms", "text": "30 % deposit; the balance on completion."}),
        ("signer-input", {"label": "Meter number (NMI)", "fieldType": "text", "required": True}),
        ("signer-input", {"label": "Preferred install date", "fieldType": "date", "required": False}),
        ("signature-block", {"label": "Customer"}),
    )),
    ("Maintenance plan", (
        ("text-block", {"heading": "Yearly maintenance", "text": "Inspection, cleaning and a report every year."}),
        ("signature-block", {"label": "Customer"}),
    )),
)  # fmt: skip


def seed(s: Seeder) -> None:
    """A proposal, an agreement that asks its signer for a meter number, a maintenance plan."""
    for i, (name, sections) in enumerate(_SEEDS):
        template = s.record(300 - i, name=name)
        s.store.add("document_template", [template])
        s.store.add("document_section", [
            s.record(300 - i, template_id=template["id"], order_index=n, type=kind, **{**_DEFAULTS, "content": content})
            for n, (kind, content) in enumerate(sections)
        ])  # fmt: skip


HANDLERS: dict[str, Handler] = {
    "list_document_templates": lambda c: everything(c.store.all("document_template")),
    "get_document_template": lambda c: Answer(_shown(c, c.must("document_template"))),
    "create_document_template": _create,
    "update_document_template": lambda c: Answer(
        change(c, "document_template", c.must("document_template"), named(c.body, "name"))
    ),
    "delete_document_template": _delete,
    "duplicate_document_template": _duplicate,
    "list_document_template_sections": lambda c: everything(SECTIONS.of(c.store, _template_id(c))),
    "create_document_template_section": _add_section,
    "update_document_template_section": _update_section,
    "delete_document_template_section": _delete_section,
    "reorder_document_template_sections": lambda c: SECTIONS.reorder(c, _template_id(c), "section_ids"),
}
