// A form made from a tool's input schema. It checks nothing: what is wrong the server says, in the agent's words.

import { el } from "./dom.js";

const LONG_TEXT = /(^|_)(body|content|description|notes?|message|html|text|prompt|instructions|summary)($|_)/;
const HINTS = { date: "2026-03-31", "date-time": "2026-03-31T09:00:00Z" };
const KEYBOARDS = { integer: "numeric", number: "decimal", email: "email", uri: "url" };

const typesOf = (schema) => [schema.type ?? (schema.enum ? "string" : "any")].flat();

export function typeWord(schema) {
  const types = typesOf(schema).filter((type) => type !== "null");
  if (types[0] === "array" && types.length === 1) return `${schema.items ? typeWord(schema.items) : "any"}[]`;
  const word = schema.enum ? "choice" : schema.format && types[0] === "string" ? schema.format : types.join(" or ");
  const { minimum: low, maximum: high } = schema;
  const range = low !== undefined && high !== undefined ? ` ${low} to ${high}` : low !== undefined ? ` from ${low}` : high !== undefined ? ` up to ${high}` : "";
  return word + range;
}

// One argument: its control, how its value is read, and how one is put in.
function control(name, schema, id) {
  const types = typesOf(schema).filter((type) => type !== "null");
  const only = types.length === 1 ? types[0] : "";
  const shown = schema.default === undefined ? "" : `default ${JSON.stringify(schema.default)}`;
  if (schema.enum || only === "boolean") {
    const values = schema.enum ?? [true, false];
    const select = el("select", { id }, el("option", { value: "" }, shown || "not set"), ...values.map((v) => el("option", { value: JSON.stringify(v) }, String(v))));
    return { element: select, read: () => JSON.parse(select.value), write: (v) => { select.value = JSON.stringify(v); } };
  }
  if (!["string", "integer", "number"].includes(only)) {
    const area = el("textarea", { id, rows: "3", class: "mono", spellcheck: "false", placeholder: shown || sample(schema) });
    return { element: area, wide: true, read: () => parsed(area.value), write: (v) => { area.value = typeof v === "string" ? v : JSON.stringify(v, null, 1); } };
  }
  if (only === "string" && !schema.format && LONG_TEXT.test(name)) {
    const area = el("textarea", { id, rows: "3", placeholder: shown });
    return { element: area, wide: true, read: () => area.value, write: (v) => { area.value = String(v); } };
  }
  const input = el("input", {
    id,
    type: schema.format === "date" ? "date" : "text",
    class: schema.format === "uuid" ? "mono" : "",
    inputmode: KEYBOARDS[only] ?? KEYBOARDS[schema.format],
    placeholder: shown || HINTS[schema.format],
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: only === "string" && !schema.format ? null : "false",
  });
  const number = () => (input.value.trim() !== "" && Number.isFinite(Number(input.value)) ? Number(input.value) : input.value);
  return { element: input, read: only === "string" ? () => input.value : number, write: (v) => { input.value = String(v); } };
}

// What is no JSON goes as it was typed: the server knows what it should have been.
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function sample(schema) {
  const types = typesOf(schema);
  if (types.includes("array")) {
    const item = schema.items ?? {};
    return `[${item.enum ? JSON.stringify(item.enum[0]) : item.type === "object" ? sample(item) : item.type === "string" ? '"…"' : "…"}]`;
  }
  const keys = Object.keys(schema.properties ?? {}).slice(0, 4);
  return types.includes("object") ? `{${keys.map((key) => `"${key}": …`).join(", ")}}` : "JSON, or text";
}

export class ArgumentsForm {
  constructor(schema, given = {}) {
    const required = new Set(schema.required ?? []);
    const names = Object.keys(schema.properties ?? {});
    this.fields = new Map();
    const row = (name) => this.row(name, schema.properties[name], required.has(name));
    const first = names.filter((name) => required.has(name)).map(row);
    const rest = names.filter((name) => !required.has(name)).map(row);
    this.form = el(
      "div", {},
      names.length ? "" : el("p", { class: "soft" }, "It takes no arguments."),
      first.length ? el("fieldset", {}, el("legend", { class: "overline" }, "Required"), el("div", { class: "fields" }, ...first)) : "",
      rest.length ? el("fieldset", {}, el("legend", { class: "overline" }, "Optional"), el("div", { class: "fields" }, ...rest)) : "",
    );
    this.area = el("textarea", { id: "as-json", rows: "10", class: "mono", spellcheck: "false" });
    this.json = el(
      "div", { class: "field", hidden: true },
      el("label", { class: "name", for: "as-json" }, "Arguments as JSON"),
      this.area,
      el("p", { class: "soft" }, "Options of a call may stand here too: fields, detail, format, max_items."),
    );
    this.element = el("div", {}, this.form, this.json);
    this.write(given);
  }

  row(name, schema, isRequired) {
    const id = `argument-${name}`;
    const made = control(name, schema, id);
    const problem = el("p", { class: "problem", id: `${id}-problem`, hidden: true });
    const description = schema.description ? el("p", { class: "soft", id: `${id}-about` }, schema.description) : "";
    made.element.setAttribute("aria-describedby", [description && `${id}-about`, `${id}-problem`].filter(Boolean).join(" "));
    if (isRequired) made.element.setAttribute("aria-required", "true");
    const clear = typesOf(schema).includes("null") ? el("input", { type: "checkbox", onchange: (event) => { made.element.disabled = event.target.checked; } }) : null;
    this.fields.set(name, { ...made, clear, problem });
    return el(
      "div", { class: made.wide ? "field wide" : "field" },
      el("label", { for: id, class: "name" }, el("span", { class: "mono" }, name), el("span", { class: "soft" }, ` ${typeWord(schema)}`)),
      made.element,
      clear ? el("label", { class: "check" }, clear, "send null, which clears it") : "",
      description,
      problem,
    );
  }

  get asJson() {
    return !this.json.hidden;
  }

  toggle() {
    const toJson = !this.asJson;
    if (toJson) this.area.value = JSON.stringify(this.read(), null, 2);
    else if (!this.write(this.read())) return false;
    this.json.hidden = !toJson;
    this.form.hidden = toJson;
    return true;
  }

  // The arguments that are set; an empty field is left out. Throws SyntaxError when the JSON is none.
  read() {
    if (this.asJson) return JSON.parse(this.area.value.trim() || "{}");
    const values = {};
    for (const [name, field] of this.fields) {
      if (field.clear?.checked) values[name] = null;
      else if (field.element.value !== "") values[name] = field.read();
    }
    return values;
  }

  // False when something does not fit into the form's fields, and then nothing was changed.
  write(values) {
    if (Object.keys(values).some((name) => !this.fields.has(name))) return false;
    for (const [name, field] of this.fields) {
      const isNull = values[name] === null;
      if (field.clear) field.clear.checked = field.element.disabled = isNull;
      if (values[name] === undefined || isNull) field.element.value = "";
      else field.write(values[name]);
    }
    return true;
  }

  // Puts what the server said of an argument beside it; true when it said something of one.
  showProblems(text) {
    const said = new Map();
    const list = text.split("\n")[0].replace(/^\w+: \w+: /, "").replace(/\. Nothing was sent\.$/, "");
    for (const part of list.split("; ")) {
      const name = part.match(/^(?:missing )?["']?(\w+)/)?.[1];
      if (this.fields.has(name)) said.set(name, part.replace(`${name}: `, ""));
    }
    let first = null;
    for (const [name, field] of this.fields) {
      field.problem.hidden = !said.has(name);
      field.problem.textContent = said.get(name) ?? "";
      if (said.has(name)) first ??= field.element;
      if (said.has(name)) field.element.setAttribute("aria-invalid", "true");
      else field.element.removeAttribute("aria-invalid");
    }
    if (first && !this.asJson) first.focus();
    return first !== null;
  }
}
