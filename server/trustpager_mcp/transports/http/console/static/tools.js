// The catalogue: search as the agent's find_tools answers it, and browsing by toolset; beside it the chosen tool.

import { get, post } from "./api.js";
import { EFFECTS, count, effectTag, el, plural } from "./dom.js";
import { ToolPanel } from "./tool.js";

const EFFECT_CHOICES = [["", "Any effect"], ["read", "read"], ["write", "write"], ["irreversible", "irreversible"]];

export class ToolsView {
  constructor(state) {
    this.state = state;
    this.query = el("input", { type: "search", id: "query", placeholder: "send a quote for signing", autocomplete: "off", enterkeyhint: "search" });
    this.toolset = el(
      "select",
      { "aria-label": "Toolset", onchange: () => this.look() },
      el("option", { value: "" }, "All toolsets"),
      ...state.toolsets.map((t) => el("option", { value: t.name }, `${t.title} (${t.usable})`)),
    );
    this.effect = el(
      "select",
      { "aria-label": "Effect", onchange: () => this.look() },
      ...EFFECT_CHOICES.map(([value, text]) => el("option", { value }, text)),
    );
    this.everything = el("input", { type: "checkbox", onchange: () => this.look() });
    this.said = el("p", { class: "said", role: "status" });
    this.list = el("div", { class: "found" });
    this.asRead = el("details", { class: "as-read", hidden: true });
    this.panel = el("div", { class: "panel", tabindex: "-1" });
    this.element = el("div", { class: "tools" }, this.finder(), this.panel);
    this.shown = null;
    this.asked = 0;
    this.look();
  }

  finder() {
    const form = el(
      "form",
      { class: "finder", role: "search", onsubmit: (event) => { event.preventDefault(); this.look(); } },
      el("label", { for: "query" }, "What do you want to do?"),
      el("div", { class: "ask" }, this.query, el("button", { class: "primary" }, "Find")),
      el("div", { class: "filters" }, this.toolset, this.effect),
      el("label", { class: "check" }, this.everything, "Also what this key may not do"),
    );
    this.query.addEventListener("search", () => { if (!this.query.value) this.look(); });
    return el("section", { class: "catalogue", "aria-label": "Catalogue" }, form, this.said, this.asRead, this.list);
  }

  async look() {
    const turn = ++this.asked;
    const query = this.query.value.trim();
    const chosen = { toolset: this.toolset.value, effect: this.effect.value, include_unavailable: this.everything.checked };
    try {
      if (query) this.showFound(await post("find", { query, ...chosen }), turn);
      else if (chosen.toolset) this.showToolset(await get("tools", { toolset: chosen.toolset, unavailable: chosen.include_unavailable }), turn);
      else this.showToolsets();
    } catch (error) {
      this.said.textContent = error.message;
    }
  }

  showFound(answer, turn) {
    if (turn !== this.asked) return;
    const tokens = `${plural(answer.tokens, "token")} to the agent`;
    this.said.textContent = answer.hits.length ? `${plural(answer.hits.length, "tool")}, best first · ${tokens}` : tokens;
    this.asRead.hidden = false;
    this.asRead.replaceChildren(el("summary", {}, "The answer as an agent reads it"), el("pre", { tabindex: "0" }, answer.text));
    this.asRead.open = !answer.hits.length;
    this.showHits(answer.hits);
  }

  showToolset(answer, turn) {
    if (turn !== this.asked) return;
    const hits = answer.hits.filter((hit) => !this.effect.value || hit.effect === this.effect.value);
    this.said.textContent = plural(hits.length, "tool");
    this.asRead.hidden = true;
    this.showHits(hits);
    if (!hits.length) this.list.replaceChildren(el("p", { class: "empty" }, "No tool here that this key may use. Tick the box above to see what there is."));
  }

  showToolsets() {
    const open = this.state.toolsets.filter((t) => t.usable || this.everything.checked);
    this.said.textContent = `${count(this.state.tools)} of ${count(this.state.all_tools)} tools may be called with this key.${this.state.notice ? ` ${this.state.notice}` : ""}`;
    this.asRead.hidden = true;
    this.list.replaceChildren(
      el("h2", { class: "overline" }, "Toolsets"),
      el("ul", { class: "toolsets" }, ...open.map((t) => el(
        "li", {},
        el(
          "button",
          { type: "button", onclick: () => { this.toolset.value = t.name; this.look(); this.toolset.focus(); } },
          el("span", { class: "line" }, el("b", {}, t.title), el("span", { class: "number" }, String(t.usable))),
          el("span", { class: "soft" }, t.summary),
        ),
      ))),
    );
  }

  showHits(hits) {
    this.list.replaceChildren(el("ul", { class: "hits" }, ...hits.map((hit) => el("li", {}, this.hit(hit)))));
    this.mark();
  }

  hit(hit) {
    const parts = hit.line.match(/^(\w+)(\(.*?\)) \[\w+\] ([^]*?)(?: — unavailable: [^]*)?$/);
    return el(
      "a",
      { href: `#/tools/${encodeURIComponent(hit.tool)}`, class: hit.unavailable ? "hit off" : "hit" },
      el(
        "span", { class: "line" },
        el("b", { class: "mono" }, hit.tool),
        effectTag(hit.effect),
        hit.score === undefined ? "" : el("span", { class: "number", title: "Score: from about 1 it is sure, under 0.5 a guess" }, hit.score.toFixed(2)),
      ),
      el("span", { class: "signature mono" }, parts ? parts[2] : hit.line),
      el("span", {}, parts ? parts[3] : ""),
      el("span", { class: "soft" }, [hit.toolset.replaceAll("_", " "), hit.scopes].filter(Boolean).join(" · ")),
      hit.unavailable ? el("span", { class: "lacks" }, `Unavailable: ${hit.unavailable}`) : "",
    );
  }

  welcome() {
    return el(
      "div", { class: "welcome" },
      el("h2", {}, "Try what an agent can do"),
      el("p", {}, "Ask as an agent would, or open a toolset. A tool shows its arguments, the request it would send, and the answer as an agent reads it."),
      el("dl", {}, ...Object.entries(EFFECTS).map(([effect, text]) => el("div", {}, el("dt", {}, effectTag(effect)), el("dd", { class: "soft" }, text)))),
    );
  }

  mark() {
    for (const link of this.list.querySelectorAll("a.hit")) {
      if (link.hash === `#/tools/${this.shown}`) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  async show(name, given) {
    const wanted = name + JSON.stringify(given);
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    this.shown = name;
    this.element.classList.toggle("one", Boolean(name));
    this.mark();
    if (!name) {
      this.panel.replaceChildren(this.welcome());
      return;
    }
    try {
      const tool = await get("tool", { name });
      if (this.wanted !== wanted) return;
      this.panel.replaceChildren(new ToolPanel(tool, this.state, given).element);
      this.panel.scrollTop = 0;
      this.panel.querySelector("h2").focus({ preventScroll: true });
    } catch (error) {
      if (this.wanted === wanted) this.panel.replaceChildren(el("p", { class: "empty", role: "alert" }, error.message));
    }
  }
}
