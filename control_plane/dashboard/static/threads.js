// Threads of the bridge and their wakes, with the token that the dashboard keeps in this tab.

import { read } from "./api.js";
import { at, el, keyed, say, show } from "./dom.js";
import { keepLooking } from "./looking.js";
import { count } from "./words.js";

const EVERY = 2_000;
const MARKS = { blocked: "▲ blocked", active: "active", resolved: "resolved", closed: "closed" };

async function look() {
  const chosen = at("status").value;
  render(await read(`/api/bridge/threads${chosen ? `?status=${encodeURIComponent(chosen)}` : ""}`));
  return EVERY;
}

function render({ threads, jobs, dead }) {
  show(at("threads-empty"), threads.length === 0);
  show(at("threads-table").parentElement, threads.length > 0);
  keyed(at("threads-table").tBodies[0], threads, (one) => one.thread_id, threadRow, fillThread);
  const wakes = [...jobs, ...dead.toReversed()];
  show(at("jobs-empty"), wakes.length === 0);
  show(at("jobs-table").parentElement, wakes.length > 0);
  keyed(at("jobs-table").tBodies[0], wakes, (one) => one.id, wakeRow, fillWake);
}

function threadRow(one) {
  const events = `/#/events?${new URLSearchParams({ topic: "bridge.", field: "thread", value: one.thread_id })}`;
  return el("tr", {}, el("th", { scope: "row" }, el("a", { class: "figure", href: events, text: one.title })),
    el("td", { class: "state" }), el("td", { class: "n" }), el("td"), el("td"), el("td", { class: "state" }));
}

function fillThread(row, one) {
  const [, status, messages, waited, lost, changed] = row.cells;
  status.className = one.status === "blocked" ? "state bad" : "state";
  say(status, MARKS[one.status] ?? one.status);
  say(messages, count(one.last_seq));
  say(waited, one.waited_for.map((who) => `${who.agent_id} since ${when(who.since)}`).join(", ") || "–");
  say(lost, (one.undeliverable ?? []).map((who) => `${who.agent_id} (${who.reason})`).join(", ") || "–");
  lost.className = one.undeliverable ? "bad" : "";
  say(changed, when(one.updated_at));
}

function wakeRow(one) {
  return el("tr", {}, el("th", { scope: "row", text: one.target }), el("td", { class: "state" }), el("td"),
    el("td", { class: "n" }), el("td"), el("td", { text: one.thread }));
}

function fillWake(row, one) {
  const [, status, way, attempt, why] = row.cells;
  status.className = one.status === "dead_letter" ? "state bad" : "state";
  say(status, one.status.replaceAll("_", " "));
  say(way, one.step ?? "–");
  say(attempt, count(one.attempt));
  say(why, one.why || one.reason);
}

const when = (iso) => new Date(iso).toLocaleString([], { dateStyle: "short", timeStyle: "medium" });

at("status").addEventListener("change", keepLooking(look));
