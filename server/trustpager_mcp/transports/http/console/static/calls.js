// Calls as they happen, what was held for approval, errors by kind.

import { stream } from "./api.js";
import { clock, count, credits, effectTag, el, milliseconds, outcomeTag, plural } from "./dom.js";

const MOST_ROWS = 300;
const LONGEST_WAIT = 15_000;
const COLUMNS = ["Time", "Tool", "Effect", "Outcome", "Took", "Tokens", "Credits", "Who"];
const NONE_YET = "No calls yet. What agents call through this server appears here as it happens, and so does what you call from this page.";
const SHOWN = {
  all: () => true,
  changes: (call) => call.effect !== "read",
  failures: (call) => ["refused", "declined", "failed", "uncertain", "broken"].includes(call.outcome),
  held: (call) => call.outcome === "queued",
};

export class CallsView {
  constructor(state, onRefused) {
    this.state = state;
    this.onRefused = onRefused;
    this.badge = el("span", { class: "badge", hidden: true });
    this.connection = el("p", { class: "said", role: "status" }, "Connecting…");
    this.totals = el("dl", { class: "totals" });
    this.body = el("tbody", { role: "rowgroup" });
    this.empty = el("p", { class: "empty" }, NONE_YET);
    this.held = el("div");
    this.errors = el("div");
    this.calls = [];
    this.filter = el(
      "select", { "aria-label": "Which calls", onchange: () => this.draw() },
      ...[["all", "All calls"], ["changes", "Changes"], ["failures", "Failures"], ["held", "Held"]].map(([value, text]) => el("option", { value }, text)),
    );
    this.table = el(
      "table", { role: "table", "aria-label": "Calls, newest first" },
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...COLUMNS.map((c) => el("th", { role: "columnheader", scope: "col", class: c.toLowerCase() }, c)))),
      this.body,
    );
    this.element = el(
      "div", { class: "calls" },
      this.totals,
      el(
        "section", { class: "recent", "aria-labelledby": "recent-title" },
        el("div", { class: "heading" }, el("h2", { id: "recent-title" }, "Calls"), this.connection, el("span", { class: "tail" }, this.filter)),
        this.table,
        this.empty,
      ),
      el(
        "div", { class: "aside" },
        el("section", { "aria-labelledby": "held-title" }, el("h2", { id: "held-title" }, "Held for approval"), this.held),
        el("section", { "aria-labelledby": "errors-title" }, el("h2", { id: "errors-title" }, "Errors by kind"), this.errors),
      ),
    );
  }

  async start() {
    this.stopping = new AbortController();
    const { signal } = this.stopping;
    for (let wait = 1000; !signal.aborted; wait = Math.min(wait * 2, LONGEST_WAIT)) {
      let heard = false;
      try {
        await stream("calls", (news) => { this.take(news, !heard); heard = true; }, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (error.status === 401) return this.onRefused(error);
      }
      if (signal.aborted) return;
      if (heard) wait = 1000;
      this.connection.textContent = "Connection lost; trying again.";
      this.connection.classList.add("lost");
      await new Promise((resolve) => { setTimeout(resolve, wait); });
    }
  }

  stop() {
    this.stopping?.abort();
  }

  // `anew`: the first message of a connection, which brings the calls of before it too.
  take(news, anew) {
    const known = anew ? [] : this.calls;
    const fresh = news.calls.reverse().slice(0, MOST_ROWS);
    this.calls = [...fresh, ...known].slice(0, MOST_ROWS);
    this.connection.textContent = "Live";
    this.connection.classList.remove("lost");
    const { totals } = news;
    const figures = [
      ["Calls", count(totals.calls)],
      ["Failures", count(totals.failures), totals.failures ? "bad" : ""],
      ["Held", count(totals.held), totals.held ? "warn" : ""],
      ["Tokens", count(totals.tokens)],
      ["Credits", credits(totals.credits) + (totals.unpriced ? "+" : "")],
      ["Mean time", totals.calls ? milliseconds(totals.mean_ms) : "–"],
    ];
    this.totals.replaceChildren(...figures.map(([name, value, kind]) => el("div", {}, el("dt", {}, name), el("dd", { class: kind }, value))));
    this.badge.hidden = !totals.held;
    this.badge.replaceChildren(count(totals.held), el("span", { class: "hidden" }, " held"));
    this.renew(this.held, news.held, () => this.heldList(news.held));
    this.renew(this.errors, news.errors, () => this.errorList(news.errors));
    if (anew) this.draw();
    else this.add(fresh);
  }

  // Makes a part anew only when what it shows has changed, so that the focus stays where it is.
  renew(part, shown, make) {
    const text = JSON.stringify(shown);
    if (part.dataset.shown === text) return;
    part.dataset.shown = text;
    part.replaceChildren(...make());
  }

  add(fresh) {
    this.body.prepend(...fresh.filter(SHOWN[this.filter.value]).map((call) => this.row(call)));
    while (this.body.rows.length > MOST_ROWS) this.body.lastElementChild.remove();
    this.settle();
  }

  draw() {
    this.body.replaceChildren();
    this.add(this.calls);
  }

  settle() {
    const some = this.body.rows.length > 0;
    this.table.hidden = !some;
    this.empty.hidden = some;
    this.empty.textContent = this.calls.length ? "None of the recent calls is of that kind." : NONE_YET;
  }

  row(call) {
    const cell = (kind, ...content) => el("td", { role: "cell", class: kind }, ...content);
    const more = [call.joined ? "joined the same call of before" : "", call.attempts > 1 ? plural(call.attempts, "attempt") : ""].filter(Boolean).join(", ");
    return el(
      "tr", { role: "row" },
      cell("time", el("time", { datetime: call.time, title: call.time }, clock(call.time))),
      cell("tool", call.effect ? el("a", { class: "mono", href: `#/tools/${encodeURIComponent(call.tool)}` }, call.tool) : el("span", { class: "mono" }, call.tool),
        more ? el("span", { class: "soft" }, more) : "",
        call.arguments === undefined ? "" : el("code", { class: "arguments" }, call.arguments)),
      cell("effect", effectTag(call.effect)),
      cell("outcome", outcomeTag(call.outcome, call.code)),
      cell("took", milliseconds(call.ms)),
      cell("tokens", count(call.tokens)),
      cell("credits", credits(call.credits)),
      cell("who", call.from_console ? "this console" : el("span", { class: "mono", title: "Fingerprint of the caller's credential" }, call.who)),
    );
  }

  heldList(held) {
    if (!held.length) return [el("p", { class: "empty" }, "Nothing was held back for a person since the server started.")];
    return [
      el("ul", { class: "plain" }, ...held.slice().reverse().map((call) => el(
        "li", {},
        el("span", { class: "line" }, el("b", { class: "mono" }, call.tool), el("time", { datetime: call.time }, clock(call.time))),
        el("a", { class: "mono", href: `#/tools/get_approval?approval_id=${encodeURIComponent(call.approval_id)}` }, call.approval_id),
        el("span", { class: "soft" }, `asked for by ${call.from_console ? "this console" : call.who}`),
      ))),
      el("p", {}, el("a", { href: "#/tools/list_approvals" }, "What waits in the workspace")),
    ];
  }

  errorList(errors) {
    if (!errors.length) return [el("p", { class: "empty" }, "No call has failed.")];
    return [el("ul", { class: "plain" }, ...errors.map((kind) => el(
      "li", {},
      el("span", { class: "line" }, el("b", { class: "mono" }, kind.code), el("span", { class: "number" }, count(kind.count))),
      el("span", { class: "soft" }, `last ${clock(kind.last)}, ${kind.tool}`),
    )))];
  }
}
