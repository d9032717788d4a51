from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.errors import ArgumentsError, ConfigurationError
from trustpager_mcp.results import Downloads, Presentation, ReadRequest, ResultStore, read
from trustpager_mcp.results.downloads import safe_name
from trustpager_mcp.results.store import StoredResult, UnknownResultError
from trustpager_mcp.shaping import Spilled

LIST = default_catalog().tools["list_contacts"]
ROWS = [
    {"id": f"c{i}", "name": f"Mia {i}", "value": i * 100, "status": "open" if i % 2 else "won", "notes": "word " * 10}
    for i in range(200)
]
TEXT = "".join(f"Sentence number {i} is here. " for i in range(4_000))


@pytest.fixture
def presentation() -> Presentation:
    return Presentation()


def kept(presentation: Presentation, value: Any, kind: Any = "rows") -> str:
    handle = presentation.store.keep("me", Spilled(kind, value, "list_contacts"))
    assert handle is not None
    return handle


def reading(presentation: Presentation, value: Any, kind: Any = "rows", **request: Any) -> str:
    return read(presentation, "me", ReadRequest(kept(presentation, value, kind), **request)).text


def test_rows_are_read_by_place(presentation: Presentation) -> None:
    text = reading(presentation, ROWS, rows="51-53")
    assert "c50" in text
    assert "c52" in text
    assert "c49" not in text
    assert "c53," not in text
    assert "shown 51-53 of 200" in text


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("status=open", 100),
        ("value>19000", 9),
        ("status=won, value<=400", 3),
        ("name~mia 19", 11),
        ("status!=open", 100),
        ({"name": "Mia 7"}, 1),
    ],
)
def test_rows_are_filtered(presentation: Presentation, condition: Any, count: int) -> None:
    text = reading(presentation, ROWS, filter=condition, fields=("name",))
    assert f"{count} of 200 rows fit" in text


def test_rows_are_searched_and_fields_chosen(presentation: Presentation) -> None:
    text = reading(presentation, ROWS, search="mia 150", fields=("value",))
    assert "c150,15000" in text


def test_one_row_is_read_as_a_record(presentation: Presentation) -> None:
    assert "value: 600" in reading(presentation, ROWS, rows="7")


def test_a_long_text_is_read_page_by_page_until_its_end(presentation: Presentation) -> None:
    handle = kept(presentation, {"id": "1", "notes": TEXT}, "record")
    whole, page = "", 1
    while True:
        shaped = read(presentation, "me", ReadRequest(handle, text_of=f"notes:{page}"))
        whole += shaped.data
        assert len(shaped.text) <= 40_000
        if "; the end" in shaped.text:
            break
        page += 1
    assert whole == TEXT
    assert page > 3


def test_a_text_is_searched(presentation: Presentation) -> None:
    text = reading(presentation, {"notes": TEXT}, "record", text_of="notes", search="number 3123 ")
    assert "number 3123 is here" in text
    assert "1 times" in text


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"rows": "x"}, "places like"),
        ({"rows": "900"}, "there are 200 rows"),
        ({"filter": "nonsense"}, "status=open"),
        ({"rows": "1", "text_of": "nope"}, "the record has id, name"),
        ({"rows": "1", "text_of": "notes:9"}, "it has 1 pages"),
    ],
)
def test_a_wrong_request_is_told_with_what_is_allowed(
    presentation: Presentation, request_: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ArgumentsError, match=expected):
        reading(presentation, ROWS, **request_)


def test_a_handle_means_nothing_to_another_credential(presentation: Presentation) -> None:
    handle = kept(presentation, ROWS)
    with pytest.raises(UnknownResultError):
        read(presentation, "other", ReadRequest(handle))
    assert presentation.store.list("other") == []


def test_handles_cannot_be_guessed() -> None:
    store = ResultStore(max_results=1_000)
    handles = {store.keep("me", Spilled("text", "x", "t")) for _ in range(500)}
    assert len(handles) == 500
    assert all(len(str(h)) >= 15 for h in handles)


def test_results_are_forgotten_by_age_number_and_size() -> None:
    now = [0.0]
    store = ResultStore(max_results=3, max_bytes=1_000, max_bytes_of_all=1_500, max_age=60, clock=lambda: now[0])
    first = [store.keep("me", Spilled("text", "x" * 10, str(i))) for i in range(4)]
    assert [r.name for r in store.list("me")] == ["3", "2", "1"]
    big = store.keep("me", Spilled("text", "x" * 990, "big"))
    assert [r.name for r in store.list("me")] == ["big", "3"]
    assert store.keep("me", Spilled("text", "x" * 1_001, "too big")) is None
    store.keep("other", Spilled("text", "x" * 900, "theirs"))
    assert store.list("me") == []
    now[0] = 61
    assert store.list("other") == []
    for handle in (first[0], big):
        with pytest.raises(UnknownResultError):
            store.get("me", str(handle))


async def test_a_result_that_two_calls_bring_at_once_counts_once() -> None:
    class OneShelf:
        """A shelf in memory whose answers take a turn of the event loop, as Redis's take."""

        def __init__(self) -> None:
            self.laid: dict[tuple[str, str], StoredResult] = {}

        async def put(self, owner: str, result: StoredResult, seconds: float) -> None:
            assert seconds > 0
            self.laid[owner, result.handle] = result

        async def get(self, owner: str, handle: str) -> StoredResult | None:
            await asyncio.sleep(0)
            return self.laid.get((owner, handle))

    shelf = OneShelf()
    there, here = ResultStore(shelf=shelf), ResultStore(shelf=shelf, max_bytes=1_000)
    handle = str(there.keep("me", Spilled("text", "x" * 600, "theirs")))
    await there.share()
    await asyncio.gather(here.fetch("me", handle), here.fetch("me", handle))
    here.keep("me", Spilled("text", "x" * 400, "ours"))
    assert [r.name for r in here.list("me")] == ["ours", "theirs"]


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..\\..\\x.exe",
        "a/../b",
        "..",
        "",
        "con",
        "x\x00.pdf",
        "e\u202efdp.exe",
        "n" * 400 + ".pdf",
    ],
)
def test_downloads_stay_inside_their_directory(tmp_path: Path, name: str) -> None:
    directory = tmp_path / "downloads"
    directory.mkdir()
    path = Path(Downloads(str(directory)).save(name, b"x"))
    assert path.resolve().parent == directory.resolve()
    assert [p.name for p in tmp_path.iterdir()] == ["downloads"]


def test_a_download_overwrites_nothing_and_follows_no_link(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"s")
    directory = tmp_path / "downloads"
    directory.mkdir()
    os.symlink(secret, directory / "x.csv")
    downloads = Downloads(str(directory))
    paths = [Path(downloads.save("x.csv", b"%d" % i)) for i in range(2)]
    assert [p.name for p in paths] == ["x (2).csv", "x (3).csv"]
    assert secret.read_bytes() == b"s"


def test_downloads_need_a_directory_that_exists(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no directory"):
        Downloads(str(tmp_path / "missing"))


@given(st.text())
def test_any_name_becomes_a_harmless_one(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert safe not in (".", "..")
    assert os.path.basename(safe) == safe
    assert len(safe.encode("utf-8", "replace")) <= 140
