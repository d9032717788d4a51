// One tool: what an agent is told of it, its form, preview and call, and the answer as the agent reads it.

import { post } from "./api.js";
import { confirmed } from "./confirm.js";
import { EFFECTS, count, credits, effectTag, el, milliseconds, outcomeTag, plural } from "./dom.js";
import { ArgumentsForm } from "./form.js";

const SAID = { preview: "A preview; nothing was sent.", queued: "Held for a person's approval.", asked: "A person is asked." };
const HANDLE = /read_result\(handle="?(r[a-z0-9]{14})/;

export class ToolPanel {
  constructor(tool, state, given) {
    this.tool = tool;
    this.form = tool.unavailable ? null : new ArgumentsForm(tool.schema, given);
    this.status = el("p", { class: "said", role: "status" });
    this.answer = el("div", { class: "answer" });
    const name = el("h2", { tabindex: "-1" }, tool.title);
    this.element = el(
      "article", { class: "tool" },
      el("a", { class: "back", href: "#/tools" }, "← All tools"),
      el("div", { class: "heading" }, name, el("code", {}, tool.tool), effectTag(tool.effect)),
      el("p", {}, tool.description),
      this.facts(),
      tool.text ? el("details", { class: "as-read" }, el("summary", {}, `What describe_tool tells an agent (${plural(tool.tokens, "token")})`), el("pre", { tabindex: "0" }, tool.text)) : "",
      tool.unavailable ? el("p", { class: "notice" }, `It may not be called with this key: ${tool.unavailable}.`) : this.caller(),
    );
  }

  facts() {
    const { tool } = this;
    const needs = [tool.scopes, ...(tool.also_needs ?? [])].filter(Boolean).join("; ");
    const rows = [["Request", tool.operation], ["Toolset", tool.toolset.replaceAll("_", " ")], ["Scopes", needs], ["Cost", tool.cost]];
    return el("dl", { class: "facts" }, ...rows.filter(([, value]) => value).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  }

  caller() {
    const irreversible = this.tool.effect === "irreversible";
    const previews = this.tool.tool !== "read_result";
    this.switch = el("button", { type: "button", class: "quiet", onclick: () => this.toggle() }, "As JSON");
    this.buttons = [
      el("button", { type: "submit", class: irreversible ? "danger" : "primary" }, irreversible ? "Call…" : "Call"),
      previews ? el("button", { type: "button", onclick: () => this.run(true) }, "Preview") : null,
    ].filter(Boolean);
    const example = Object.keys(this.tool.example).length
      ? el("button", { type: "button", class: "quiet", onclick: () => this.fill() }, "Example")
      : "";
    return el(
      "form",
      { class: "call", novalidate: true, onsubmit: (event) => { event.preventDefault(); this.run(false); } },
      this.form.element,
      el(
        "div", { class: "actions bar" },
        ...this.buttons,
        el("span", { class: `effect ${this.tool.effect}` }, EFFECTS[this.tool.effect]),
        el("span", { class: "tail" }, example, this.switch),
      ),
      this.status,
      this.answer,
    );
  }

  toggle() {
    try {
      if (!this.form.toggle()) this.settle("Something there has no field in the form; it can be called as JSON.");
    } catch {
      this.settle("That is not valid JSON.");
    }
    this.switch.textContent = this.form.asJson ? "As a form" : "As JSON";
  }

  fill() {
    if (this.form.asJson) this.toggle();
    this.form.write(this.tool.example);
    this.settle("Filled in with an example; ids in it are made up.");
  }

  async run(preview) {
    let request;
    try {
      request = { tool: this.tool.tool, arguments: this.form.read(), preview };
    } catch {
      this.settle("That is not valid JSON.");
      return;
    }
    const irreversible = this.tool.effect === "irreversible" && !preview;
    if (irreversible) {
      const yes = await confirmed({
        title: `Call ${this.tool.tool}?`,
        question: `${this.tool.description}\n\n${EFFECTS.irreversible}`,
        details: JSON.stringify(request.arguments, null, 1),
        type: this.tool.tool,
        yes: "Call it",
      });
      if (!yes) return this.settle("Not called.");
      request.confirm = this.tool.tool;
    }
    this.busy(true);
    try {
      let result = await post("call", request);
      if (result.question) {
        const accepted = await confirmed({ title: "Confirm as the operator", question: result.question.text, yes: "Yes, do it" });
        result = await post("call", { ...request, answer: { accepted, state: result.question.state } });
      }
      this.show(result);
    } catch (error) {
      this.settle(error.message);
    } finally {
      this.busy(false);
    }
  }

  busy(yes) {
    for (const button of this.buttons) button.disabled = yes;
    if (!yes) return;
    this.settle("Waiting for the answer…");
    this.answer.replaceChildren();
  }

  // What happened, for eyes and for screen readers; an answer says it to the eyes itself.
  settle(text, shown = true) {
    this.status.textContent = text;
    this.status.classList.toggle("hidden", !shown);
  }

  show(result) {
    const handle = result.text.match(HANDLE)?.[1];
    const facts = [
      milliseconds(result.ms),
      `about ${plural(result.tokens, "token")}`,
      result.credits === null ? "credits unknown" : result.credits ? `${credits(result.credits)} ${result.credits === 1 ? "credit" : "credits"}` : "no credits",
      result.attempts > 1 ? `${count(result.attempts)} attempts` : "",
      result.status ? `HTTP ${result.status}` : "",
    ].filter(Boolean);
    this.settle(result.is_error ? `It failed. ${result.text}` : SAID[result.outcome] ?? "Done.", false);
    const copy = el("button", { type: "button", class: "quiet", onclick: async () => { await navigator.clipboard.writeText(result.text); copy.textContent = "Copied"; } }, "Copy");
    const pre = el("pre", { tabindex: "0", role: "region", "aria-label": "Answer as an agent reads it" }, result.text);
    this.answer.replaceChildren(
      el("div", { class: "verdict" }, outcomeTag(result.outcome, result.code), ...facts.map((fact) => el("span", {}, fact)), el("span", { class: "tail" },
        result.approval_id ? el("a", { href: `#/tools/get_approval?approval_id=${encodeURIComponent(result.approval_id)}` }, "Look at the approval") : "",
        handle ? el("a", { href: `#/tools/read_result?handle=${encodeURIComponent(handle)}` }, "Read on") : "",
        copy)),
      pre,
    );
    if (!this.form.showProblems(result.is_error && result.code === "INVALID_ARGUMENTS" ? result.text : "")) {
      this.answer.scrollIntoView({ block: "nearest" });
    }
  }
}
