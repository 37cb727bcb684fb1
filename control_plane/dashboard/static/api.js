// Talks to this server, with the token of this tab.

const KEPT = "control-plane.token";
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;
let token = null;

export class Refused extends Error {
  constructor(status, problem) {
    super([problem.detail ?? problem.title ?? `HTTP ${status}`, problem.why, problem.cure].filter(Boolean).join(" · "));
    this.status = status;
    this.code = problem.code ?? "";
  }
}

/** From `#token=…`, which no server ever sees, or from earlier in this tab. */
export function findToken() {
  const given = /^#token=(.+)$/.exec(location.hash);
  if (given) {
    keepToken(decodeURIComponent(given[1]));
    history.replaceState(null, "", location.pathname);
  }
  token ??= sessionStorage.getItem(KEPT);
  return token !== null;
}

export function keepToken(given) {
  token = given.trim();
  sessionStorage.setItem(KEPT, token);
}

export function forgetToken() {
  token = null;
  sessionStorage.removeItem(KEPT);
}

const headers = (more = {}) => ({ Authorization: `Bearer ${token}`, ...more });

async function answered(response) {
  if (response.ok) return response.json();
  let problem = {};
  try { problem = await response.json(); } catch { /* an answer from something in between */ }
  throw new Refused(response.status, problem);
}

export const read = async (path) => answered(await fetch(path, { headers: headers(), cache: "no-store" }));

export const write = async (path, body) =>
  answered(await fetch(path, {
    method: "POST",
    headers: headers({ "Content-Type": "application/json" }),
    body: JSON.stringify(body),
  }));

/** Server-sent events through fetch, because EventSource cannot send the token. Comes back after each break. */
export async function listen(on) {
  let wait = FIRST_WAIT;
  for (;;) {
    try {
      const response = await fetch("/api/events", { headers: headers({ Accept: "text/event-stream" }), cache: "no-store" });
      if (response.status === 401) throw new Refused(401, await response.json());
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      on.state("live");
      wait = FIRST_WAIT;
      await pump(response.body, on.event);
    } catch (fault) {
      if (fault instanceof Refused) return on.refused(fault);
    }
    on.state("reconnecting");
    await new Promise((done) => setTimeout(done, wait * (0.5 + Math.random() / 2)));
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }
}

async function pump(body, told) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const fields = new Map();
      for (const line of part.split("\n")) {
        const colon = line.indexOf(": ");
        if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2));
      }
      if (fields.has("data")) told(fields.get("event"), JSON.parse(fields.get("data")));
    }
  }
}
