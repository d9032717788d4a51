"""Files of three types: private documents, public or private images, confidential (secure) files."""

from __future__ import annotations

import base64
import binascii
import io
import re
import zipfile
from typing import Any

from .. import sample_files, stored_files
from ..checks import moment
from ..engine import Answer, Call, File, Handler, change, contains, everything, page
from ..errors import ApiError, invalid, not_found
from ..ordered import named
from ..people import owner
from ..seed import Seeder
from ..store import Record, Store
from ..world import World

_MEGABYTE = 1024 * 1024
_MOST_BYTES = {"image": 10 * _MEGABYTE, "document": 25 * _MEGABYTE, "secure": 50 * _MEGABYTE}
_MOST_BUNDLED = 200 * _MEGABYTE
# Fields that only files of one type have.
_OWN_FIELDS = {"document_type": "document", "file_category": "secure", "category": "image"}
_SHARED = ("id", "type", "name", "mime_type", "file_size", "folder", "description", "uploaded_by", "created_at", "updated_at")
_TYPED = {
    "document": ("document_type", "deal_id", "contact_id", "customer_id", "source_form_submission_id"),
    "image": ("category", "is_private", "is_optimized_image", "optimized_variants"),
    "secure": ("file_category", "form_submission_id"),
}


def rows_of(store: Store, file_type: str) -> list[tuple[int, Record]]:
    """Numbered files of a type, newest first; documents are those uploaded and those of the library."""
    if file_type != "document":
        return store.numbered("file", type=file_type)
    rows = [*store.numbered("file", type="document"), *store.numbered("document")]
    return sorted(rows, key=lambda row: -row[0])


def view(world: World, record: Record) -> Record:
    """The normalized fields, those of the file's type, and the links that work at present."""
    file_type = stored_files.type_of(record)
    shown = {name: record.get(name) for name in _SHARED} | {"type": file_type}
    shown |= {name: record.get(name) for name in _TYPED[file_type]}
    url = stored_files.public_url(world, record) if stored_files.is_public(record) else None
    if file_type == "image":
        variants = [{**v, "url": stored_files.public_url(world, v)} for v in _variants(world.store, record["id"])]
        shown |= {"is_private": bool(record.get("is_private")), "is_optimized_image": bool(variants)}
        return {**shown, "r2_url": url, "download_url": url, "optimized_variants": variants}
    return {**shown, "public_url": url}


def _variants(store: Store, file_id: str) -> list[Record]:
    return sorted(store.all("image_variant", file_id=file_id), key=lambda v: v["width"])


def must(call: Call, file_id: str | None = None) -> Record:
    """The file of any type. Raises 404 NOT_FOUND."""
    wanted = file_id or call.ids["id"]
    record = stored_files.find(call.store, wanted)
    if record is None:
        raise not_found("file", wanted)
    return record


def listed(call: Call, file_type: str) -> Answer:
    """One page of the files of a type, by the filters of the query."""
    q = call.query
    rows = rows_of(call.store, file_type)
    for name in ("folder", *_OWN_FIELDS):
        if name in q:
            if _OWN_FIELDS.get(name, file_type) != file_type:
                raise invalid(f"{name} is a filter for type {_OWN_FIELDS[name]} only", field=name)
            rows = [(n, r) for n, r in rows if r.get(name) == q[name]]
    if "search" in q:
        rows = [(n, r) for n, r in rows if contains(r, q["search"], "name")]
    return page(call, rows, lambda r: view(call.world, r), order=lambda n, r: (-_created(r), -n))


def _created(record: Record) -> float:
    """When it was made, in seconds: the library's documents have several sources, so their numbers do not tell."""
    created = moment(record["created_at"])
    return created.timestamp() if created else 0.0


def folders_of(call: Call, file_type: str) -> list[Record]:
    """Distinct folder names: those in use and those made beforehand."""
    used = {r["folder"] for _, r in rows_of(call.store, file_type) if r.get("folder")}
    made = {f["name"] for f in call.store.all("file_folder", type=file_type)}
    return [{"name": name} for name in sorted(used | made)]


def _create_folder(call: Call) -> Answer:
    name = named(call.body, "name")["name"].strip()
    if {"name": name} in folders_of(call, call.query["type"]):
        raise ApiError(409, "CONFLICT", f"there is already a folder {name} for {call.query['type']} files")
    call.store.add("file_folder", [folder := call.fresh({"type": call.query["type"], "name": name})])
    return Answer(folder, status=201)


def _decoded(text: str) -> bytes:
    """Base64, with or without the prefix of a data URI. Raises VALIDATION_ERROR."""
    plain = re.sub(r"^data:[^,]{0,200},", "", text.strip())
    try:
        content = base64.b64decode(re.sub(r"\s", "", plain), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("base64 is not valid base64", field="base64") from None
    if not content:
        raise invalid("base64 holds no bytes", field="base64")
    return content


def save_upload(call: Call | World, fields: Record, text: str) -> Record:
    """Store a file from base64. Raises VALIDATION_ERROR and, over the limit of its type, 413 PAYLOAD_TOO_LARGE."""
    content, most = _decoded(text), _MOST_BYTES[fields["type"]]
    if len(content) > most:
        size = f"{len(content) / _MEGABYTE:.1f} MB; {fields['type']} files hold at most {most // _MEGABYTE} MB"
        raise ApiError(413, "PAYLOAD_TOO_LARGE", f"the file is {size}", {"size": len(content), "limit": most})
    defaults: Record = {
        "mime_type": "application/octet-stream", "folder": None, "description": None, "uploaded_by": None,
        "file_size": len(content),
    }  # fmt: skip
    if fields["type"] == "image":
        defaults |= {"category": "images", "is_private": False}
    record = call.fresh({**defaults, **fields})
    call.store.add("file", [record])
    stored_files.put(call.store, record["id"], content)
    return record


def _upload(call: Call) -> Answer:
    body = named(dict(call.body), "name")
    text = body.pop("base64")
    _check_own_fields(body, body["type"])
    body["uploaded_by"] = owner(call.store)["id"]
    return Answer(view(call.world, save_upload(call, body, text)), status=201)


def _check_own_fields(fields: Record, file_type: str) -> None:
    for name, only in _OWN_FIELDS.items():
        if name in fields and only != file_type:
            raise invalid(f"{name} is a field of {only} files; this one is of type {file_type}", field=name)


def _update(call: Call) -> Answer:
    record = must(call)
    fields = named(call.body, "name")
    _check_own_fields(fields, stored_files.type_of(record))
    return Answer(view(call.world, change(call, stored_files.kind_of(call.store, record["id"]), record, fields)))


def delete(call: Call | World, file_id: str) -> None:
    """Remove a file, its bytes, its variants and its links."""
    for variant in _variants(call.store, file_id):
        _delete_variant(call.store, variant)
    call.store.delete(stored_files.kind_of(call.store, file_id), file_id)
    stored_files.remove(call.store, file_id)
    call.store.unlink_everywhere(file_id)


def _delete(call: Call) -> Answer:
    delete(call, must(call)["id"])
    return Answer(status=204)


def download(call: Call, record: Record) -> Answer:
    """A link to the contents: permanent for public images, else of 60 seconds. Raises 404 for an entry without any."""
    if stored_files.get(call.store, record["id"]) is None:
        raise ApiError(404, "NOT_FOUND", f"{record['name']} is a library entry without contents; upload some with /files/upload")
    media_type = record.get("mime_type") or "application/octet-stream"
    about = {"id": record["id"], "name": record["name"], "mime_type": media_type}
    if stored_files.type_of(record) == "image" and stored_files.is_public(record):
        return Answer({**about, "download_url": stored_files.public_url(call.world, record), "expires_at": None})
    seconds = stored_files.DOWNLOAD_SECONDS
    url, expires_at = stored_files.signed_url(call.world, record["id"], record["name"], media_type, seconds)
    return Answer({**about, "download_url": url, "expires_at": expires_at, "expires_in": seconds})


def _signed_url(call: Call) -> Answer:
    record = must(call)
    if stored_files.type_of(record) != "image":
        raise invalid(f"signed URLs are for images; this is a {stored_files.type_of(record)} file: use its download", field="id")
    if not record.get("is_private"):
        raise ApiError(409, "CONFLICT", "the image is public; its r2_url needs no signature")
    if stored_files.get(call.store, record["id"]) is None:
        raise not_found("contents of", record["id"])
    media_type = record.get("mime_type") or "application/octet-stream"
    url, expires_at = stored_files.signed_url(call.world, record["id"], record["name"], media_type, stored_files.IMAGE_SECONDS)
    return Answer({"signed_url": url, "expires_at": expires_at, "mime_type": media_type})


def _publishing(publish: bool, documents: bool) -> Handler:
    """publish and unpublish are for documents, make-public and make-private for images and secure files."""

    def handler(call: Call) -> Answer:
        record = must(call)
        file_type = stored_files.type_of(record)
        if (file_type == "document") != documents:
            other = "make-public or make-private" if documents else "publish or unpublish"
            raise invalid(f"this is a {file_type} file: use {other}", field="id")
        # A secure file may be copied again; of the others the reference asks that there is something to do.
        if stored_files.is_public(record) == publish and not (publish and file_type == "secure"):
            raise ApiError(409, "CONFLICT", f"the file is already {'public' if publish else 'private'}")
        if publish and stored_files.get(call.store, record["id"]) is None:
            raise not_found("contents of", record["id"])
        changes = {"is_private": not publish} if file_type == "image" else {"is_published": publish}
        if file_type == "image":
            # An image moves between the stores; of other files a copy comes and goes.
            stored_files.withdraw_links(call.store, record["id"])
        changed = change(call, stored_files.kind_of(call.store, record["id"]), record, changes)
        shown = view(call.world, changed)
        return Answer({**shown, "public_url": stored_files.public_url(call.world, changed) if publish else None})

    return handler


def _bundle(call: Call) -> Answer:
    """A ZIP of what can be read; what cannot is told in _manifest.txt, and in skipped[] of the answer with a link."""
    ids = list(dict.fromkeys(call.body["ids"]))
    entries: list[tuple[str, bytes]] = []
    skipped: list[Record] = []
    for file_id in ids:
        record = stored_files.find(call.store, file_id)
        content = stored_files.get(call.store, file_id)
        if record is None or content is None:
            reason = "does not exist" if record is None else "has no contents"
            skipped.append({"id": file_id, "name": record["name"] if record else None, "reason": reason})
        else:
            entries.append((record["name"], content))
    if not entries:
        raise ApiError(404, "NOT_FOUND", "none of the files can be read", {"skipped": skipped})
    total = sum(len(content) for _, content in entries)
    if total > _MOST_BUNDLED:
        message = f"the files hold {total / _MEGABYTE:.1f} MB; a bundle holds at most {_MOST_BUNDLED // _MEGABYTE} MB"
        raise ApiError(413, "PAYLOAD_TOO_LARGE", message)
    content = _zipped(entries, skipped)
    base = call.body.get("filename") or f"attachments_{call.clock.now():%Y-%m-%d}"
    name = stored_files.header_name(base.removesuffix(".zip")) + ".zip"
    if call.body.get("response") != "url":
        return Answer(file=File(content, "application/zip", name))
    bundle_id = call.fresh({})["id"]
    stored_files.put(call.store, bundle_id, content)
    url, expires_at = stored_files.signed_url(call.world, bundle_id, name, "application/zip", stored_files.BUNDLE_SECONDS)
    return Answer({
        "url": url, "expires_at": expires_at, "filename": name, "file_count": len(entries), "size": len(content),
        "skipped": skipped,
    })  # fmt: skip


def _zipped(entries: list[tuple[str, bytes]], skipped: list[Record]) -> bytes:
    buffer = io.BytesIO()
    taken: set[str] = set()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            # A name is one file of the archive, never a path out of it.
            plain = re.split(r"[\\/]", name)[-1].strip(". ") or "file"
            stem, dot, extension = plain.rpartition(".")
            unique, number = plain, 1
            while unique.lower() in taken:
                number += 1
                unique = f"{stem} ({number}).{extension}" if dot and stem else f"{plain} ({number})"
            taken.add(unique.lower())
            archive.writestr(unique, content)
        if skipped:
            lines = "\n".join(f"{s['id']} {s['name'] or ''}: {s['reason']}" for s in skipped)
            archive.writestr("_manifest.txt", f"Left out:\n{lines}\n")
    return buffer.getvalue()


def _delete_variant(store: Store, variant: Record) -> None:
    store.delete("image_variant", variant["id"])
    store.delete("website_image", variant["id"])
    stored_files.remove(store, variant["id"])


def _source(call: Call) -> tuple[Record | None, bytes]:
    """The image to optimize. Nothing is fetched from elsewhere: for a foreign URL a practice picture stands in."""
    if "file_id" in call.body:
        record = call.store.get("file", call.body["file_id"])
        if record is None:
            raise not_found("file", call.body["file_id"])
        content = stored_files.get(call.store, record["id"])
        if record["type"] != "image" or content is None:
            raise invalid(f"file_id: {record['name']} is no image file", field="file_id")
        return record, content
    import random

    url = call.body["image_url"]
    return None, stored_files.of_url(call.world, url) or sample_files.png(random.Random(url))


def _optimize(call: Call) -> Answer:
    from ..image_variants import WIDTHS, render

    record, content = _source(call)
    names = [name for name in WIDTHS if name in call.body.get("variants", WIDTHS)]
    rendered = render(content, names, call.body.get("quality"))
    if record:
        for old in _variants(call.store, record["id"]):
            _delete_variant(call.store, old)
    stem = (record["name"] if record else "image").rpartition(".")[0] or "image"
    shown: list[Record] = []
    for variant in rendered:
        fields = {
            "file_id": record["id"] if record else None, "variant": variant.name, "name": f"{stem}-{variant.name}.webp",
            "width": variant.width, "height": variant.height, "quality": variant.quality, "file_size": len(variant.content),
            "mime_type": "image/webp",
        }  # fmt: skip
        call.store.add("image_variant", [row := call.fresh(fields)])
        stored_files.put(call.store, row["id"], variant.content)
        if record:
            call.store.add("website_image", [row])
        shown.append({**row, "url": stored_files.public_url(call.world, row)})
    source: dict[str, Any] = {"file_id": record["id"]} if record else {"image_url": call.body["image_url"]}
    return Answer({**source, "original_size": len(content), "variants": shown, "credits_charged": 0})


def seed(s: Seeder) -> None:
    """Contents, folders and categories for the files and documents that hang on opportunities."""
    users = s.store.all("user")
    folders = {"document": "Site documents", "image": "Site photos", "secure": "Identity"}
    for record in reversed(s.store.all("file")):
        kind = record["type"]
        own: Record = {"document": {"document_type": "Report"}, "secure": {"file_category": "identity"}}.get(
            kind, {"category": "images", "is_private": record["name"].startswith("01")}
        )
        if kind == "image":
            content = sample_files.png(s.rng)
        else:
            content = sample_files.pdf(record["name"], "Brightside Home Energy", "A practice file: nothing in it is real.")
        shared = {"folder": folders[kind], "description": None, "uploaded_by": s.rng.choice(users)["id"]}
        s.store.save("file", {**record, **shared, **own, "file_size": len(content)})
        stored_files.put(s.store, record["id"], content)
    s.store.add("file_folder", [s.record(200, type=kind, name=name) for kind, name in folders.items()])


HANDLERS: dict[str, Handler] = {
    "list_files": lambda c: listed(c, c.query["type"]),
    "get_file": lambda c: Answer(view(c.world, must(c))),
    "download_file": lambda c: download(c, must(c)),
    "update_file": _update,
    "delete_file": _delete,
    "upload_file": _upload,
    "publish_file": _publishing(True, documents=True),
    "unpublish_file": _publishing(False, documents=True),
    "make_file_public": _publishing(True, documents=False),
    "make_file_private": _publishing(False, documents=False),
    "get_file_signed_url": _signed_url,
    "list_file_folders": lambda c: everything(folders_of(c, c.query["type"])),
    "create_file_folder": _create_folder,
    "bundle_files": _bundle,
    "optimize_image": _optimize,
}
