// Signing in, the two views, and which of them is shown.

import { forget, get, hasToken, takeTokenFromAddress, useKey, useToken } from "./api.js";
import { CallsView } from "./calls.js";
import { el } from "./dom.js";
import { ToolsView } from "./tools.js";

const main = document.querySelector("#main");
const nav = document.querySelector("header nav");
const about = document.querySelector(".about");
const leave = document.querySelector("#leave");
let views = null;

async function open() {
  let state;
  try {
    state = await get("state");
  } catch (error) {
    return askForToken(error);
  }
  if (views) views.calls.stop();
  views = { tools: state.key ? new ToolsView(state) : new KeyView(), calls: new CallsView(state, askForToken) };
  nav.hidden = about.hidden = leave.hidden = false;
  nav.querySelector("[href='#/calls']").replaceChildren("Live calls", views.calls.badge);
  about.replaceChildren(...chips(state));
  views.calls.start();
  route();
}

function chips(state) {
  const chip = (text, title, kind = "") => el("span", { class: `chip ${kind}`, title }, text);
  return [
    chip(state.sandbox ? "practice workspace" : new URL(state.api).host, state.api),
    state.key && chip(`key ${state.key}`, "Fingerprint of the key that calls from this page are made with"),
    state.read_only ? chip("read only", "--read-only") : null,
    state.confirm === "client" ? null : chip(`confirm: ${state.confirm}`, "Who confirms irreversible calls"),
    chip(`v${state.version}`, "Version of the server", "version"),
  ].filter(Boolean);
}

function route() {
  if (!views) return;
  const [path, query] = location.hash.replace(/^#/, "").split("?");
  const [, view, name] = path.split("/");
  const shown = view === "calls" ? views.calls : views.tools;
  for (const link of nav.querySelectorAll("a")) {
    if ((link.hash === "#/calls") === (view === "calls")) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${view === "calls" ? "Live calls" : name || "Tools"} · TrustPager MCP console`;
  if (main.firstElementChild !== shown.element) main.replaceChildren(shown.element);
  if (shown === views.tools) views.tools.show(name ? decodeURIComponent(name) : "", Object.fromEntries(new URLSearchParams(query)));
}

function gate(title, text, label, onGiven, problem = "") {
  const input = el("input", { type: "password", autocomplete: "off", spellcheck: "false", required: true });
  const said = el("p", { class: "problem", role: "alert" }, problem);
  const submit = async (event) => {
    event.preventDefault();
    if (input.value.trim()) said.textContent = (await onGiven(input.value.trim())) ?? "";
  };
  return el(
    "form",
    { class: "gate", onsubmit: submit },
    el("h2", {}, title),
    el("p", {}, text),
    el("label", { class: "field" }, el("span", { class: "name" }, label), input),
    said,
    el("div", { class: "actions" }, el("button", { class: "primary" }, "Open")),
  );
}

function askForToken(error) {
  if (views) views.calls.stop();
  views = null;
  nav.hidden = about.hidden = leave.hidden = true;
  const wrong = error?.status === 401;
  if (wrong) forget();
  const form = gate(
    "Operator's console",
    "Open the link that the server printed when it started, or give the operator's token.",
    "Token",
    (token) => { useToken(token); open(); },
    error && !(wrong && error.message.includes("missing")) ? error.message : "",
  );
  main.replaceChildren(form);
  form.querySelector("input").focus();
}

// Stands in for the tools where the server has no key of its own; the live calls need none.
class KeyView {
  constructor() {
    this.element = gate(
      "A key for this page",
      "This server has no TrustPager key of its own. The key you give stays in this page's memory and is gone when you reload it.",
      "TrustPager API key",
      async (given) => {
        useKey(given);
        try {
          await get("state");
        } catch (error) {
          useKey(null);
          if (error.status !== 401) return error.message;
          return askForToken(error);
        }
        return open();
      },
    );
  }

  show() {
    this.element.querySelector("input").focus();
  }
}

leave.addEventListener("click", () => { forget(); askForToken(); });
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
addEventListener("hashchange", () => { if (takeTokenFromAddress()) open(); else route(); });
takeTokenFromAddress();
if (hasToken()) open();
else askForToken();
