// Elements made without markup: everything that comes from elsewhere is text and stays text.

export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

export const EFFECTS = {
  read: "Changes nothing.",
  write: "Changes data; another call can undo it.",
  irreversible: "Cannot be undone: it deletes, sends to people, or spends.",
};

export const effectTag = (effect) => el("span", { class: `tag ${effect || "unknown"}` }, effect || "unknown");

export const OUTCOMES = {
  done: "good", preview: "plain", asked: "plain", queued: "warn", refused: "bad", declined: "bad", failed: "bad",
  uncertain: "bad", cancelled: "warn", broken: "bad",
};

export const outcomeTag = (outcome, code) =>
  el("span", { class: `ended ${OUTCOMES[outcome] || "plain"}` }, outcome, code ? el("span", { class: "code" }, ` ${code}`) : "");

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

export const count = (number) => whole.format(number);

export const milliseconds = (ms) =>
  ms === null || ms === undefined ? "–" : ms < 1000 ? `${ms < 10 ? ms.toFixed(1) : whole.format(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;

export const credits = (value) => (value === null ? "unknown" : value ? short.format(value) : "0");

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

export const clock = (moment) => {
  const date = new Date(moment);
  return Number.isNaN(date.getTime()) ? moment : date.toLocaleTimeString("en-GB");
};
