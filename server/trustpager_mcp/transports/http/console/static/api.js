// Talking to the server. The operator's token stays in this tab; a key that the operator brings stays in this page's memory.

const TOKEN = "trustpager-console-token";
let key = null;

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// The link that the server printed carries the token behind the #. It is taken out of the address at once.
export function takeTokenFromAddress() {
  const given = location.hash.match(/^#token=(.+)$/);
  if (!given) return false;
  useToken(decodeURIComponent(given[1]));
  history.replaceState(null, "", "/#/tools");
  return true;
}

export const hasToken = () => sessionStorage.getItem(TOKEN) !== null;
export const useToken = (token) => sessionStorage.setItem(TOKEN, token);
export const useKey = (given) => { key = given; };

export function forget() {
  sessionStorage.removeItem(TOKEN);
  key = null;
}

async function send(path, options = {}) {
  const headers = { authorization: `Bearer ${sessionStorage.getItem(TOKEN) || ""}`, ...options.headers };
  if (key) headers["x-console-key"] = key;
  let answer;
  try {
    answer = await fetch(`/console/api/${path}`, { ...options, headers, credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer.");
  }
  if (!answer.ok) throw new ApiError(answer.status, await reason(answer));
  return answer;
}

async function reason(answer) {
  try {
    return (await answer.json()).error || `The server answered ${answer.status}.`;
  } catch {
    return `The server answered ${answer.status}.`;
  }
}

export const get = async (path, query = {}) => (await send(`${path}?${new URLSearchParams(query)}`)).json();

export const post = async (path, body) =>
  (await send(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })).json();

// Server-sent events by fetch, since an EventSource can send no token.
export async function stream(path, onMessage, signal) {
  const answer = await send(path, { signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      if (block.startsWith("data: ")) onMessage(JSON.parse(block.slice(6)));
    }
  }
}
