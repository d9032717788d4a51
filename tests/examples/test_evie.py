"""The Evie-style example, used in a browser: headless Chromium against the app on a real socket."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import httpx
import pytest
import uvicorn
from playwright.async_api import Page, async_playwright, expect

from trustpager_mcp import Toolkit

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (make test installs it on Debian)")
EVIE = Path(__file__).parents[2] / "examples/evie"
PICTURES = Path(__file__).parents[2] / "docs/pictures"
FULL, READER = "tp_live_sandbox_full", "tp_live_sandbox_readonly"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EVIE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def served(key: str = FULL, model: Any = None) -> AsyncIterator[tuple[str, Toolkit]]:
    """The app on a free port, for one user with this key."""
    assistant, app = load("assistant"), load("app")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with Toolkit(sandbox=True, confirm="strict") as toolkit:
        made = app.create_app(toolkit, model or assistant.Rules(), {"user-token": app.User(key)})
        server = uvicorn.Server(uvicorn.Config(made, host="127.0.0.1", port=port, log_level="warning"))
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve)
            async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=8)) as client:
                await client.get(f"http://127.0.0.1:{port}/")
            yield f"http://127.0.0.1:{port}", toolkit
            server.should_exit = True


@asynccontextmanager
async def browser(url: str, **options: Any) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await chromium.new_page(**options)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(url)
        yield page
        await chromium.close()
        assert problems == []


async def say(page: Page, text: str) -> None:
    await page.get_by_label("Message").fill(text)
    await page.keyboard.press("Enter")


@needs_browser
async def test_a_question_shows_the_call_and_its_answer() -> None:
    async with served() as (url, _), browser(url) as page:
        await say(page, "list open deals")
        await expect(page.get_by_text("Here is what I found.")).to_be_visible()
        await expect(page.get_by_label("Message")).to_be_focused()
        call = page.locator("details")
        await expect(call.locator("summary")).to_have_text("list_opportunities done")
        await call.locator("summary").click()
        await expect(call.locator("pre").last).to_contain_text("shown 5")


async def contact_named(toolkit: Toolkit) -> tuple[str, str]:
    contact = (await toolkit.call("list_contacts", {"limit": 1})).data["data"][0]
    return contact["id"], contact["email"]


@needs_browser
async def test_deleting_waits_for_a_click_and_no_leaves_everything_as_it_was() -> None:
    async with served() as (url, toolkit), browser(url) as page:
        contact, email = await contact_named(toolkit)
        await say(page, f"delete contact {email}")
        ask = page.get_by_role("alertdialog")
        await expect(ask).to_contain_text("cannot be undone")
        await expect(ask.get_by_role("button", name="No")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator(".it", has_text="did not confirm")).to_be_visible()
        assert not (await toolkit.call("get_contact", {"contact_id": contact})).is_error


@needs_browser
async def test_deleting_after_a_yes_deletes() -> None:
    async with served() as (url, toolkit), browser(url) as page:
        contact, email = await contact_named(toolkit)
        await say(page, f"delete contact {email}")
        await page.get_by_role("button", name="Yes, do it").click()
        await expect(page.locator(".it", has_text="Done.")).to_be_visible()
        assert (await toolkit.call("get_contact", {"contact_id": contact})).code == "NOT_FOUND"


@needs_browser
async def test_a_users_key_bounds_what_the_assistant_can_do() -> None:
    async with served(READER) as (url, toolkit), browser(url) as page:
        _, email = await contact_named(toolkit)
        await say(page, f"delete contact {email}")
        await expect(page.locator(".it", has_text="MISSING_SCOPE")).to_be_visible()
        await expect(page.get_by_role("alertdialog")).to_have_count(0)


@needs_browser
@pytest.mark.skipif("PICTURES" not in os.environ, reason="writes docs/pictures; PICTURES=1 asks for it")
async def test_the_pictures_of_the_page_are_written() -> None:
    for scheme in ("light", "dark"):
        look: Any = {"color_scheme": scheme, "viewport": {"width": 760, "height": 620}}
        async with served() as (url, toolkit), browser(url, **look) as page:
            _, email = await contact_named(toolkit)
            await say(page, "list open deals")
            await expect(page.get_by_text("Here is what I found.")).to_be_visible()
            await say(page, f"delete contact {email}")
            await expect(page.get_by_role("alertdialog")).to_be_visible()
            file = PICTURES / f"evie-{scheme}.png"
            await page.screenshot(path=file)
            assert file.stat().st_size < 150_000


@needs_browser
@pytest.mark.parametrize(("scheme", "width"), [("light", 1100), ("dark", 1100), ("light", 360), ("dark", 360)])
async def test_the_page_fits_its_window_in_both_themes(scheme: Any, width: int, tmp_path: Path) -> None:
    async with served() as (url, _), browser(url, color_scheme=scheme, viewport={"width": width, "height": 700}) as page:
        await say(page, "list open deals")
        await expect(page.get_by_text("Here is what I found.")).to_be_visible()
        await page.locator("summary").first.click()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        picture = await page.screenshot(path=tmp_path / f"evie-{scheme}-{width}.png")
        assert picture.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("body", "token", "status"),
    [
        ({"text": "hi"}, "wrong", 401),
        ({"text": ""}, "user-token", 400),
        ({"text": 5}, "user-token", 400),
        ({}, "user-token", 400),
    ],
)
async def test_wrong_requests_are_refused(body: dict[str, Any], token: str, status: int) -> None:
    async with served() as (url, _), httpx.AsyncClient() as client:
        answer = await client.post(f"{url}/chat", json=body, headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == status
        late = await client.post(
            f"{url}/answer", json={"id": "x", "accepted": True}, headers={"authorization": "Bearer user-token"}
        )
        assert late.status_code == 404
