"""The Learning Hub: canvases and the cards on them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from .. import stored_files
from ..checks import is_uuid
from ..engine import Answer, Call, Handler, change, page
from ..errors import invalid
from ..ordered import named
from ..seed import Seeder
from ..store import Record, Store

_YOUTUBE = re.compile(r"(?:(?:www|m)\.)?youtube(?:-nocookie)?\.com|youtu\.be")
_STARTERS = (
    ("Welcome", "link", "https://help.trustpager.example/", "What the CRM is for."),
    ("Contacts and companies", "link", "https://help.trustpager.example/contacts", "Find, add and connect people."),
    ("Pipelines", "link", "https://help.trustpager.example/pipelines", "Move an opportunity from lead to won."),
    ("Tasks and activities", "link", "https://help.trustpager.example/tasks", "Plan the day and log what was done."),
    ("Forms and documents", "link", "https://help.trustpager.example/forms", "Send, sign, file."),
    ("Automations", "link", "https://help.trustpager.example/automations", "Let the CRM do what repeats."),
)


def _layout(i: int) -> Record:
    """The place of the card on grids of four, two and one columns."""
    places = {"lg": (i % 4 * 3, i // 4 * 4, 3), "md": (i % 2 * 6, i // 2 * 4, 6), "sm": (0, i * 4, 6), "xs": (0, i * 4, 4)}
    return {"layout": {name: {"x": x, "y": y, "w": w, "h": 4} for name, (x, y, w) in places.items()}}


def _cards(store: Store, canvas_id: str) -> list[Record]:
    return sorted(reversed(store.all("training_card", canvas_id=canvas_id)), key=lambda c: c["sort_order"])


def _shown(call: Call, canvas: Record) -> Record:
    return {**canvas, "cards": _cards(call.store, canvas["id"])}


def _starters(canvas_id: str) -> list[Record]:
    return [
        {"canvas_id": canvas_id, "title": title, "resource_type": kind, "url": url, "description": description,
         "category": "training", "sort_order": i, "display_config": _layout(i)}
        for i, (title, kind, url, description) in enumerate(_STARTERS)
    ]  # fmt: skip


def _create(call: Call) -> Answer:
    canvas = call.fresh({"template": None, **named(call.body, "name")})
    call.store.add("training_canvas", [canvas])
    if canvas["template"] == "getting_started":
        call.store.add("training_card", [call.fresh(card) for card in _starters(canvas["id"])])
    return Answer(_shown(call, canvas), status=201)


def _rename(call: Call) -> Answer:
    return Answer(_shown(call, change(call, "training_canvas", call.must("training_canvas"), named(call.body, "name"))))


def _delete(call: Call) -> Answer:
    canvas = call.must("training_canvas")
    for card in call.store.all("training_card", canvas_id=canvas["id"]):
        call.store.delete("training_card", card["id"])
    call.store.delete("training_canvas", canvas["id"])
    return Answer(status=204)


def _check_resource(call: Call, kind: str, url: str) -> None:
    """The url names a record of the right sort, or is an address of the right sort. Raises VALIDATION_ERROR."""
    if kind in ("youtube", "link", "html_embed"):
        host = (urlsplit(url).hostname or "") if re.match(r"https?://\S+$", url) else ""
        if not host:
            raise invalid(f"url must be a full http(s) URL for a card of type {kind}", field="url")
        if kind == "youtube" and not _YOUTUBE.fullmatch(host):
            raise invalid("url must be a YouTube address for a card of type youtube", field="url")
        return
    if not is_uuid(url):
        raise invalid(f"url must be the id of a {kind} for a card of type {kind}", field="url")
    if kind == "notepad":
        found = call.store.get("notepad", url)
    else:
        found = stored_files.find(call.store, url)
        wanted = {"document": "document", "image": "image", "file": "secure"}[kind]
        if found is not None and stored_files.type_of(found) != wanted:
            raise invalid(f"url: {url} is a {stored_files.type_of(found)} file, not a {wanted} one", field="url")
        if found is not None and kind == "image" and found.get("category") != "images":
            raise invalid(f"url: the image's category is {found.get('category')}; a card needs category images", field="url")
    if found is None:
        raise invalid(f"url: there is no {kind} {url}", field="url")


def _fields(body: Record) -> Record:
    """The sort order is called position in requests."""
    return {("sort_order" if name == "position" else name): value for name, value in named(body, "title").items()}


def _add_card(call: Call) -> Answer:
    canvas = call.must("training_canvas")
    _check_resource(call, call.body["resource_type"], call.body["url"])
    defaults: Record = {"description": None, "category": "general", "sort_order": 0, "display_config": {}}
    card = call.fresh({"canvas_id": canvas["id"], **defaults, **_fields(call.body)})
    call.store.add("training_card", [card])
    return Answer(card, status=201)


def _update_card(call: Call) -> Answer:
    card = call.must("training_card")
    after = {**card, **call.body}
    if "url" in call.body or "resource_type" in call.body:
        _check_resource(call, after["resource_type"], after["url"])
    return Answer(change(call, "training_card", card, _fields(call.body)))


def _delete_card(call: Call) -> Answer:
    call.store.delete("training_card", call.must("training_card")["id"])
    return Answer(status=204)


def seed(s: Seeder) -> None:
    """The starter canvas, and one for new installers with a document, a picture and a confidential file."""
    start, installers = (
        s.record(350, name="Getting started", template="getting_started"),
        s.record(120, name="New installers", template=None),
    )
    s.store.add("training_canvas", [start, installers])
    s.store.add("training_card", [s.record(350, **card) for card in _starters(start["id"])])
    files = s.store.all("file")
    image, secure = (next(f["id"] for f in files if f["type"] == kind) for kind in ("image", "secure"))
    cards = (
        ("Safety on the roof", "youtube", "https://www.youtube.com/watch?v=brightside01", "training"),
        ("A proposal, page by page", "document", s.store.all("document")[-1]["id"], "sales"),
        ("A tidy roof", "image", image, "reference"),
        ("Identity checks", "file", secure, "policy"),
        ("Switchboard rules", "html_embed", "https://brightside.example/switchboards", "reference"),
    )
    s.store.add("training_card", [
        s.record(
            118, canvas_id=installers["id"], title=title, resource_type=kind, url=url, description=None, category=category,
            sort_order=i, display_config=_layout(i),
        )
        for i, (title, kind, url, category) in enumerate(cards)
    ])  # fmt: skip


HANDLERS: dict[str, Handler] = {
    "list_training_canvases": lambda c: page(c, c.store.numbered("training_canvas")),
    "get_training_canvas": lambda c: Answer(_shown(c, c.must("training_canvas"))),
    "create_training_canvas": _create,
    "rename_training_canvas": _rename,
    "delete_training_canvas": _delete,
    "add_training_card": _add_card,
    "update_training_card": _update_card,
    "delete_training_card": _delete_card,
}
