"""A document template's sections as the text of a PDF."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

from .merge_fields import filled, line_total
from .pdf import Block
from .store import Record, Store

_PRODUCTS = ("product-table", "product-showcase", "product-brochure", "dynamic-products", "dynamic-pricing")
_HEADINGS = ("title", "heading", "label", "name")
_NOT_TEXT = ("fieldType", "signerEmail", "placeholder", "url", "src", "imageUrl", "image_url", "alignment", "align", "style")


def blocks_of(store: Store, title: str, sections: list[Record], context: Record, values: Record) -> list[Block]:
    """The visible sections in their order; `values` are what signers typed, by section."""
    blocks = [] if sections and sections[0]["type"] == "cover-page" else [Block(title, "title")]
    new_page = False
    for section in sections:
        if not section["is_visible"]:
            continue
        if section["type"] == "page-break":
            new_page = True
            continue
        for block in _section(store, section, context, values):
            blocks.append(Block(block.text, block.style, new_page))
            new_page = False
    return blocks


def _section(store: Store, section: Record, context: Record, values: Record) -> Iterator[Block]:
    content: Record = section["content"] or {}
    match section["type"]:
        case "divider":
            yield Block("_" * 80)
        case "signer-input":
            yield Block(f"{content.get('label', 'Input')}: {values.get(section['id'], '________________')}")
        case "signature-block":
            yield from _texts(content, context)
            yield Block("Signature: ____________________    Date: ______________")
        case kind if kind in _PRODUCTS and context["deal"]:
            yield from _texts(content, context)
            yield from _products(store, context["deal"])
        case kind:
            blocks = list(_texts(content, context))
            if kind == "cover-page" and blocks:
                blocks[0] = Block(blocks[0].text, "title")
            yield from blocks


def _texts(content: Any, context: Record) -> Iterator[Block]:
    """Every text of a content, headings first, whatever its shape."""
    if isinstance(content, str):
        text = html.unescape(re.sub(r"<[^<>]*>", "", re.sub(r"<(?:br|/p|/li|/h\d)[^<>]*>", "\n", content)))
        if plain := filled(text, context).strip():
            yield Block(plain)
    elif isinstance(content, list):
        for part in content:
            yield from _texts(part, context)
    elif isinstance(content, dict):
        for name in _HEADINGS:
            if isinstance(content.get(name), str) and (text := filled(content[name], context).strip()):
                yield Block(text, "heading")
        for name, part in content.items():
            if name not in _NOT_TEXT and not (name in _HEADINGS and isinstance(part, str)):
                yield from _texts(part, context)


def _products(store: Store, deal: Record) -> Iterator[Block]:
    lines = sorted(store.all("opportunity_product", opportunity_id=deal["id"]), key=lambda r: r["position"])
    total = 0.0
    for line in lines:
        total += (price := line_total(line))
        yield Block(f"{line['quantity']:g} x {line['name']}: {price:,.2f} {deal.get('currency') or 'AUD'}")
    yield Block(f"Total: {total:,.2f} {deal.get('currency') or 'AUD'}", "heading")
