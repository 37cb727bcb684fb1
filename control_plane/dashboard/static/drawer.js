// What lies behind a figure: events by position, one event with its proof, one decision with its score, one arm's chart as a table.
// The address says what is open, so the browser's own back button closes it and a link can be kept.

import { at, el } from "./dom.js";
import { Refused, read } from "./api.js";
import { verify } from "./believing.js";
import { explanation } from "./explaining.js";
import { clock, count, duration } from "./words.js";

let latest = null;
let opening = 0;

export const keepPanels = (panels) => { latest = panels; };

const VIEWS = { events, event, decision, buckets };

export function startDrawer() {
  const drawer = at("drawer");
  at("drawer-close").addEventListener("click", () => drawer.close());
  drawer.addEventListener("close", () => {
    if (location.hash.startsWith("#/")) history.replaceState(null, "", location.pathname);
  });
  drawer.addEventListener("click", (click) => { if (click.target === drawer) drawer.close(); });
  addEventListener("hashchange", follow);
}

export async function follow() {
  const drawer = at("drawer"), parts = /^#\/([a-z]+)\?(.*)$/.exec(location.hash);
  const view = parts && Object.hasOwn(VIEWS, parts[1]) ? VIEWS[parts[1]] : null;
  if (!view) return drawer.open && drawer.close();
  const mine = ++opening, body = el("div", {});
  at("drawer-body").replaceChildren(el("p", { class: "quiet", text: "Reading the log …" }));
  if (!drawer.open) drawer.showModal();
  try {
    at("drawer-title").textContent = await view(new URLSearchParams(parts[2]), body);
  } catch (fault) {
    if (!(fault instanceof Refused) && !(fault instanceof TypeError)) throw fault;
    at("drawer-title").textContent = "That could not be read";
    body.replaceChildren(el("p", { class: "notice", text: fault.message }));
  }
  if (mine !== opening) return;
  at("drawer-body").replaceChildren(body);
  at("drawer-title").focus();
}

async function events(asked, body) {
  const table = el("table", {}, el("caption", { class: "quiet", text: said(asked) }), el("thead", {}, el("tr", {},
    ...["Event", "At", "Topic", "Fact"].map((name) => el("th", { scope: "col", text: name })))), el("tbody"));
  const more = el("button", { type: "button", text: "Older ones" });
  const page = async (before) => {
    if (before) asked.set("before", before);
    const found = await read(`/api/panels/events?${asked}`);
    table.lastElementChild.append(...found.events.map(line));
    more.hidden = found.before === null;
    more.onclick = () => page(found.before);
    if (!table.lastElementChild.childElementCount && found.before === null) body.append(el("p", { class: "empty", text: "No event." }));
  };
  body.append(el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Events" }, table), more);
  await page();
  return "The events behind this figure";
}

function said(asked) {
  const topic = asked.get("topic") || "all topics", field = asked.get("field");
  const parts = [topic.replaceAll(",", ", ")];
  if (field) parts.push(`${field} is ${asked.get("value")}`);
  if (asked.get("since")) parts.push(`from position ${asked.get("since")}`);
  return `Newest first; ${parts.join("; ")}`;
}

const line = (one) => el("tr", {},
  el("td", {}, el("a", { href: `#/event?position=${one.position}`, text: count(one.position) })),
  el("td", { text: one.fact.at ? clock(one.fact.at) : "–" }),
  el("td", { text: one.topic }),
  el("td", { class: "fact", text: summary(one.fact) }));

function summary(fact) {
  const told = Object.entries(fact).filter(([name]) => !["v", "at", "process", "envelope", "document"].includes(name));
  const text = told.map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(" · ");
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

async function event(asked, body) {
  const position = Number(asked.get("position"));
  const found = await read(`/api/panels/events?since=${position}&before=${position + 1}&limit=1`);
  const one = found.events[0];
  if (!one) {
    body.append(el("p", { class: "empty", text: "There is no such event." }));
    return `Event ${count(position)}`;
  }
  body.append(
    el("p", { text: `${one.topic} · stream ${one.stream}, version ${one.version}` }),
    el("pre", { tabindex: "0", "aria-label": "The fact as it was signed", text: JSON.stringify(one.fact, null, 2) }),
    prover(position, one));
  if (one.fact.decision) body.prepend(el("p", {}, el("a", { href: decisionAddress(one.fact.decision), text: "Why was it decided so?" })));
  return `Event ${count(position)}`;
}

export const decisionAddress = (id) => `#/decision?${new URLSearchParams({ id })}`;

function prover(position, expected) {
  const verdict = el("div", { class: "verdict", role: "status", "aria-live": "polite" });
  const button = el("button", { type: "button", text: "Verify this event in this browser" });
  button.addEventListener("click", () => verify(verdict, position, expected));
  return el("div", {}, button, verdict);
}

async function decision(asked, body) {
  const id = asked.get("id");
  const found = await read(`/api/decisions/${encodeURIComponent(id)}`);
  const events = await read(`/api/panels/events?since=${found.position}&before=${found.position + 1}&limit=1`);
  explanation(body, found);
  body.append(prover(found.position, events.events[0]),
    el("p", {}, el("a", { href: `#/events?${new URLSearchParams({ field: "decision", value: id, since: found.position })}`,
      text: "All events of this decision" })));
  return `Why ${found.arm}?`;
}

async function buckets(asked, body) {
  const name = asked.get("arm"), arm = latest?.arms.find((one) => one.arm === name);
  if (!arm) {
    body.append(el("p", { class: "empty", text: "There is no such arm." }));
    return "No such arm";
  }
  const { begin, seconds } = latest.window, width = seconds / arm.line.count.length;
  const rows = arm.line.count.map((results, place) => results && el("tr", {},
    el("th", { scope: "row", text: clock(begin + place * width) }),
    el("td", { class: "n" }, el("a", { class: "figure", text: count(results), href: `#/events?${new URLSearchParams({
      topic: "router.result-recorded", field: "arm", value: name,
      since: arm.line.first[place], before: arm.line.last[place] + 1 })}` })),
    el("td", { class: "n", text: count(arm.line.failures[place]) }),
    ...["p50", "p95", "p99"].map((which) => el("td", { class: "n", text: duration(arm.line[which][place]) }))));
  body.append(el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Time and outcome" }, el("table", {},
    el("caption", { class: "quiet", text: `${name}, results by piece of ${duration(width * 1000)}` }),
    el("thead", {}, el("tr", {}, el("th", { scope: "col", text: "From" }),
      ...["Results", "Failures", "p50", "p95", "p99"].map((text) => el("th", { scope: "col", class: "n", text })))),
    el("tbody", {}, ...rows.filter(Boolean)))));
  return `${name} over time`;
}
