"""The console's page as a person uses it: headless Chromium against a real server process, by keyboard where it matters."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from tests.http_processes import Process, Tenant, base_url, sandbox_api, server
from trustpager_mcp.catalog import default_catalog
from trustpager_mcp.validation import example

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (make test installs it on Debian)"),
    pytest.mark.asyncio(loop_scope="module"),
]
expect.set_options(timeout=20_000)
TOKEN = "a-token-of-the-operator"
FULL, HELD = "tp_live_sandbox_full", "tp_live_sandbox_approval"
HOSTILE = "<img src=x onerror=alert(1)><b>bold</b>"


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    with server("--sandbox", TRUSTPAGER_CONSOLE_TOKEN=TOKEN) as process:
        yield process


@pytest.fixture(scope="module")
def for_many() -> Iterator[Process]:
    """A server without a key of its own, whose gate asks."""
    with (
        sandbox_api() as api,
        server("--base-url", base_url(api), "--confirm", "elicit", TRUSTPAGER_CONSOLE_TOKEN=TOKEN) as process,
    ):
        yield process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@asynccontextmanager
async def console(
    chromium: Browser, process: Process, link: str = f"#token={TOKEN}", *, refusals: bool = False
) -> AsyncIterator[Page]:
    """The page, opened by the link. What the browser complains of (scripts, policy, network) fails the test; requests that
    the server refuses count as well, unless `refusals` are meant."""
    page = await chromium.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))

    def said(message: ConsoleMessage) -> None:
        meant = refusals and re.search(r"status of 40[13] ", message.text)
        if message.type in ("error", "warning") and not meant:
            problems.append(message.text)

    page.on("console", said)
    page.on("request", lambda request: None if request.url.startswith(process.url) else problems.append(request.url))
    page.on("dialog", lambda dialog: problems.append(dialog.message))
    await page.goto(f"{process.url}/{link}")
    yield page
    await page.close()
    assert problems == []


async def tab_to(page: Page, name: str, role: str = "button", most: int = 40) -> None:
    """Press Tab until the named control has the focus, as a person without a mouse does."""
    wanted = page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
    for _ in range(most):
        if await wanted.evaluate("e => e === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"{most} times Tab did not lead to {name!r}")


async def test_by_keyboard_from_a_request_in_words_to_a_call_and_its_live_row(chromium: Browser, process: Process) -> None:
    async with console(chromium, process) as page:
        await expect(page.get_by_text("tools may be called with this key")).to_be_visible()
        assert page.url == f"{process.url}/#/tools"
        await page.keyboard.press("Tab")
        await expect(page.get_by_text("Skip to content")).to_be_focused()
        await tab_to(page, "What do you want to do?", "searchbox")
        await page.keyboard.type("add a person to the crm")
        await page.keyboard.press("Enter")
        found = page.get_by_role("link", name="create_contact")
        await expect(found).to_contain_text("contacts:write")
        await expect(page.locator(".catalogue [role=status]")).to_contain_text("tokens to the agent")
        await found.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Create contact")).to_be_focused()

        await tab_to(page, "Call")
        await page.keyboard.press("Enter")
        name = page.get_by_label("first_name")
        await expect(name).to_be_focused()
        await expect(name).to_have_attribute("aria-invalid", "true")
        await expect(page.get_by_text("first_name (string) is required", exact=True)).to_be_visible()
        await page.keyboard.type(HOSTILE)
        await page.keyboard.press("Tab")
        await page.keyboard.type("Byron")
        await page.get_by_label("skip_automations").select_option("true")
        await page.get_by_label("metadata").fill('{"quick_links": {}}')

        await tab_to(page, "Preview")
        await page.keyboard.press("Enter")
        answer = page.get_by_role("region", name="Answer as an agent reads it")
        await expect(answer).to_contain_text("Nothing was sent")
        await expect(answer).to_contain_text("Bearer (hidden)")
        await expect(answer).to_contain_text('"skip_automations": true')
        await expect(answer).to_contain_text('"quick_links": {}')
        await tab_to(page, "Call")
        await page.keyboard.press("Enter")
        await expect(answer).to_contain_text("Byron")
        await expect(page.locator(".verdict")).to_contain_text("done")
        await expect(page.locator(".verdict")).to_contain_text("no credits")
        assert await page.locator(".answer :is(img, b)").count() == 0

        await page.get_by_role("link", name="Live calls").focus()
        await page.keyboard.press("Enter")
        rows = page.get_by_role("table", name="Calls, newest first").locator("tbody tr")
        await expect(rows.nth(0)).to_contain_text("create_contact")
        await expect(rows.nth(0)).to_contain_text("this console")
        await expect(rows.nth(1)).to_contain_text("preview")
        await expect(rows.nth(2)).to_contain_text("INVALID_ARGUMENTS")


async def test_agents_calls_held_approvals_and_errors_appear_as_they_happen(chromium: Browser, process: Process) -> None:
    async with console(chromium, process) as page, Tenant(process.mcp, HELD) as held, Tenant(process.mcp) as own:
        await page.get_by_role("link", name="Live calls").click()
        await expect(page.locator(".recent [role=status]")).to_have_text("Live")
        await own.call("call_read", tool="get_task", args={"task_id": "00000000-0000-4000-8000-000000000000"})
        await held.call("create_task", title="Held back")
        await expect(page.get_by_role("region", name="Errors by kind")).to_contain_text("NOT_FOUND")
        first = page.locator("tbody tr").first
        await expect(first).to_contain_text("create_task")
        await expect(first).to_contain_text("queued")
        await page.get_by_label("Which calls").select_option("failures")
        await expect(page.locator("tbody tr").first).to_contain_text("NOT_FOUND")
        assert "Held back" not in await page.content()
        region = page.get_by_role("region", name="Held for approval")
        await region.get_by_role("link").first.click()
        await expect(page.get_by_role("heading", name="Get approval")).to_be_visible()
        await expect(page.get_by_label("approval_id")).not_to_be_empty()
        await page.get_by_role("button", name="Call", exact=True).click()
        await expect(page.get_by_role("region", name="Answer as an agent reads it")).to_contain_text("pending")


async def test_the_operator_signs_in_brings_a_key_and_confirms_what_cannot_be_undone(
    chromium: Browser, for_many: Process
) -> None:
    async with Tenant(for_many.mcp, FULL) as tenant:
        text, _ = await tenant.call("list_contacts", limit=1, format="json", fields="id")
    contact = re.search(r"[0-9a-f-]{36}", text)
    assert contact is not None, text
    async with console(chromium, for_many, "", refusals=True) as page:
        await expect(page.get_by_label("Token")).to_be_focused()
        await page.keyboard.type("a-token-of-nobody-here")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text("give the operator's token")
        await page.get_by_label("Token").fill(TOKEN)
        await page.keyboard.press("Enter")
        await page.get_by_label("TrustPager API key").fill("tp_live_stranger")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("does not accept this key")
        await page.get_by_label("TrustPager API key").fill(FULL)
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("tools may be called with this key")).to_be_visible()

        await page.evaluate(f"location.hash = '#/tools/delete_contact?contact_id={contact[0]}'")
        await page.get_by_role("button", name="Call…").click()
        yes, typed = page.get_by_role("button", name="Call it"), page.get_by_label("Type delete_contact to go on")
        await expect(typed).to_be_focused()
        await expect(yes).to_be_disabled()
        await page.keyboard.press("Escape")
        await expect(page.get_by_text("Not called.")).to_be_visible()
        await page.get_by_role("button", name="Call…").click()
        await typed.fill("delete_contact")
        await page.keyboard.press("Enter")
        question = page.get_by_role("dialog", name="Confirm as the operator")
        await expect(question).to_contain_text("Target: “contact: ")
        await expect(question.get_by_role("button", name="Cancel")).to_be_focused()
        await question.get_by_role("button", name="Yes, do it").click()
        await expect(page.locator(".verdict")).to_contain_text("done")

        assert FULL not in await page.evaluate("JSON.stringify([sessionStorage, localStorage, document.cookie, location.href])")
        await page.reload()
        await expect(page.get_by_label("TrustPager API key")).to_be_focused()
        await page.get_by_role("link", name="Live calls").click()
        await expect(page.locator("tbody tr", has_text="delete_contact").first).to_contain_text("done")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_label("Token")).to_be_focused()
        assert await page.evaluate("sessionStorage.length + localStorage.length + document.cookie.length") == 0


async def test_the_form_of_every_tool_gives_back_its_worked_example(chromium: Browser, process: Process) -> None:
    catalog = default_catalog()
    tools = [[name, catalog.input_schema(name), example(tool)] for name, tool in catalog.tools.items()]
    async with console(chromium, process) as page:
        told = json.loads(await page.evaluate(FORMS, json.dumps(tools)))
    assert [(name, given, read) for (name, _, given), read in zip(tools, told, strict=True) if given != read] == []


FORMS = """async (tools) => {
  const { ArgumentsForm } = await import("/console/form.js");
  return JSON.stringify(JSON.parse(tools).map(([, schema, given]) => new ArgumentsForm(schema, given).read()));
}"""


async def test_it_fits_its_window_and_can_be_read_in_both_themes(chromium: Browser, process: Process, tmp_path: Path) -> None:
    async with console(chromium, process) as page, Tenant(process.mcp, HELD) as held:
        await held.call("create_task", title="Held back")
        for scheme, width in (("light", 360), ("light", 1280), ("dark", 1280), ("dark", 360)):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            await page.set_viewport_size({"width": width, "height": 800})
            for place, shown in PLACES.items():
                await page.evaluate(f"location.hash = '{place}'")
                await expect(page.locator(shown).first).to_be_visible()
                assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (scheme, width, place)
                assert await page.evaluate(PALE) == [], (scheme, width, place)
            await page.screenshot(path=tmp_path / f"{scheme}-{width}.png")


PLACES = {
    "#/tools": ".toolsets",
    "#/tools/send_email": "form.call",
    "#/calls": ".aside li",
    "#/tools/approve_approval": ".notice",
}
PALE = """() => {
  const light = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    const color = getComputedStyle(e).backgroundColor;
    return /^rgba.*, 0\\)$/.test(color) && e.parentElement ? behind(e.parentElement) : color;
  };
  const says = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && e.checkVisibility() && !e.disabled;
  return [...document.querySelectorAll("body *")].filter(says).flatMap((e) => {
    const [one, two] = [light(getComputedStyle(e).color), light(behind(e))].sort((a, b) => b - a);
    return (one + 0.05) / (two + 0.05) < 4.5 ? [`${e.textContent.slice(0, 40)} ${((one + 0.05) / (two + 0.05)).toFixed(2)}`] : [];
  });
}"""
